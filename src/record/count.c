/* count.c -- the side of a thread that counts: finds the series of a record by index and adds to
 * its own numbers. Nothing here is locked or shared but the names of consumers, which are put into
 * the board once, by whoever sees them first. */
#include "base/hash.h"
#include "http/conn.h"
#include "http/message.h"
#include "record/count_int.h"
#include "record/record.h"

/* The buckets that OpenTelemetry advises for seconds, and three below them: what a gateway does
 * takes less than its first. */
const uint64_t bucket_bounds_ns[BUCKETS] = {
        500000,     1000000,    2500000,    5000000,    10000000,    25000000,
        50000000,   75000000,   100000000,  250000000,  500000000,   750000000,
        1000000000, 2500000000, 5000000000, 7500000000, 10000000000,
};

static unsigned fine_index(uint64_t ns)
{
        if (ns < (uint64_t)1 << FINE_LOW)
                return 0;
        if (ns >= (uint64_t)1 << FINE_HIGH)
                return FINE_STEPS - 1;
        unsigned top = highest_bit(ns);
        unsigned step = (unsigned)(ns >> (top - FINE_SHIFT)) & ((1u << FINE_SHIFT) - 1);
        return 1 + ((top - FINE_LOW) << FINE_SHIFT) + step;
}

static void put_histogram(const struct counts *counts, struct cell *cell, unsigned fine,
                          uint64_t ns)
{
        unsigned bucket = counts->coarse[fine];
        if (bucket < BUCKETS && ns > bucket_bounds_ns[bucket])
                bucket++;
        number_add(&cell->sum_ns, ns);
        number_add(&cell->buckets[bucket], 1);
}

static struct cell *take_cell(struct counts *counts)
{
        if (counts->free == NULL)
                counts->free = atomic_exchange_explicit(&counts->returned, NULL,
                                                        memory_order_acquire);
        if (counts->free == NULL && counts->cell_count < CELLS_THREAD_MAX) {
                struct cell *block = arena_array(&counts->arena, struct cell, CELLS_BLOCK);
                for (unsigned i = 0; i < CELLS_BLOCK; i++) {
                        block[i].next = counts->free;
                        counts->free = &block[i];
                }
                counts->cell_count += CELLS_BLOCK;
        }
        struct cell *cell = counts->free;
        if (cell != NULL)
                counts->free = cell->next;
        return cell;
}

static struct cell *find_cell(struct counts *counts, struct cells *cells, uint32_t key)
{
        uint32_t count = atomic_load_explicit(&cells->count, memory_order_relaxed);
        for (uint32_t i = 0; i < count; i++) {
                if (atomic_load_explicit(&cells->keys[i], memory_order_relaxed) == key)
                        return atomic_load_explicit(&cells->at[i], memory_order_relaxed);
        }
        struct cell *cell = count < CELLS_MAX ? take_cell(counts) : NULL;
        if (cell == NULL)
                return &cells->rest;
        atomic_store_explicit(&cells->keys[count], key, memory_order_relaxed);
        atomic_store_explicit(&cells->at[count], cell, memory_order_relaxed);
        atomic_store_explicit(&cells->count, count + 1, memory_order_release);
        return cell;
}

/* What does not end well is told apart by its reason; see series_cells for the way back. */
static uint32_t cell_key(unsigned method, uint16_t status, enum reason reason)
{
        return (uint32_t)reason << 16 | method << 10 | (status & 1023u);
}

static uint32_t index_of(uint32_t series, uint32_t max)
{
        return series < max ? series : SERIES_NONE;
}

static void put_api(struct counts *counts, const struct record *record, unsigned fine)
{
        struct api_series *api = counts->apis[index_of(record->who.api_id, SERIES_APIS_MAX)];
        number_add(&api->reasons[record->reason], 1);
        number_add(&api->fine[fine], 1);
        number_add(&api->statuses[record->status < 600 ? record->status / 100 : 5], 1);
        if (record->request.bytes > 0)
                number_add(&api->request_bytes, record->request.bytes);
        if (record->response_bytes > 0)
                number_add(&api->response_bytes, record->response_bytes);
}

static void put_upstream(struct counts *counts, const struct record *record)
{
        uint32_t index = index_of(record->who.upstream_id, SERIES_UPSTREAMS_MAX);
        struct upstream_series *upstream = counts->upstreams[index];
        bool has_failed = record->upstream_status == 0;
        uint32_t key = cell_key(METHOD_OTHER, record->upstream_status,
                                has_failed ? record->reason : REASON_done);
        /* Without a response head there is no time to it: what was waited in all is nearest. */
        uint64_t ns = record->upstream > 0 ? record->upstream : record->duration;
        number_add(&upstream->requests, 1);
        number_add(&upstream->tries, record->tries);
        put_histogram(counts, find_cell(counts, &upstream->cells, key), fine_index(ns), ns);
}

/* Puts a name nobody has seen yet at `slot` of the table; false: somebody else was faster there. */
static struct seen *add_consumer(struct counts *counts, struct str name, uint64_t hash,
                                 _Atomic(struct seen *) *slot)
{
        struct count_board *board = counts->board;
        if (atomic_load_explicit(&board->consumer_count, memory_order_relaxed) >=
            SERIES_CONSUMERS_MAX)
                return NULL;
        struct seen *seen = arena_new(&counts->arena, struct seen), *there = NULL;
        *seen = (struct seen){.name = arena_str(&counts->arena, name), .hash = hash};
        seen->index = atomic_fetch_add_explicit(&board->consumer_count, 1, memory_order_relaxed);
        if (seen->index >= SERIES_CONSUMERS_MAX)
                return NULL;
        /* The index is spent even if another thread puts the same name in: such an index stays
         * empty for ever, which costs one of many once. */
        if (!atomic_compare_exchange_strong_explicit(slot, &there, seen, memory_order_acq_rel,
                                                     memory_order_acquire))
                return there;
        atomic_store_explicit(&board->consumer_list[seen->index], seen, memory_order_release);
        return seen;
}

static uint32_t find_consumer(struct counts *counts, struct str name)
{
        struct count_board *board = counts->board;
        uint64_t hash = hash_str(name);
        for (size_t i = hash, tries = 0; tries < CONSUMERS_TABLE; i++, tries++) {
                _Atomic(struct seen *) *slot = &board->consumers[i % CONSUMERS_TABLE];
                struct seen *seen = atomic_load_explicit(slot, memory_order_acquire);
                if (seen == NULL)
                        seen = add_consumer(counts, name, hash, slot);
                if (seen == NULL)
                        return SERIES_OTHER;
                if (seen->hash == hash && str_eq(seen->name, name))
                        return seen->index;
        }
        return SERIES_OTHER;
}

static void put_consumer(struct counts *counts, const struct record *record)
{
        uint32_t index = find_consumer(counts, record->who.consumer);
        unsigned class = record->status >= 500   ? CLASS_SERVER
                         : record->status >= 400 ? CLASS_CALLER
                                                 : CLASS_GOOD;
        number_add(&counts->consumers[index].classes[class], 1);
}

void counts_record(struct counts *counts, const struct record *record)
{
        unsigned fine = fine_index(record->duration);
        uint32_t route = index_of(record->who.route_id, SERIES_ROUTES_MAX);
        uint32_t key = cell_key(method_find(record->request.method), record->status,
                                record->reason);
        put_api(counts, record, fine);
        put_histogram(counts, find_cell(counts, counts->routes[route], key), fine,
                      record->duration);
        if (record->tries > 0)
                put_upstream(counts, record);
        if (record->who.consumer.len > 0)
                put_consumer(counts, record);
}

void counts_turn(struct counts *counts, const struct http *http)
{
        /* Those that ended in this turn are still counted as exchanges. */
        uint32_t begun = http->exchange_count - http->shared_count;
        uint32_t active = begun < http->front_count ? begun : http->front_count;
        const struct page_pool *pages = http->loop->pages;
        counts_set(counts, COUNT_active_requests, http->exchange_count);
        counts_set(counts, COUNT_streams, http->stream_count);
        counts_set(counts, COUNT_connections_active, active);
        counts_set(counts, COUNT_connections_idle, http->front_count - active);
        counts_set(counts, COUNT_accepted, http->counts.accepted);
        counts_set(counts, COUNT_refused, http->counts.refused);
        counts_set(counts, COUNT_refused_per_ip, http->counts.refused_per_ip);
        counts_set(counts, COUNT_heads_refused, http->counts.heads_refused);
        counts_set(counts, COUNT_proxy_untrusted, http->counts.strangers[STRANGER_UNTRUSTED]);
        counts_set(counts, COUNT_proxy_missing, http->counts.strangers[STRANGER_MISSING]);
        counts_set(counts, COUNT_proxy_bad, http->counts.strangers[STRANGER_BAD]);
        counts_set(counts, COUNT_proxy_late, http->counts.strangers[STRANGER_LATE]);
        counts_set(counts, COUNT_tls_full, http->tls.counts.full);
        counts_set(counts, COUNT_tls_resumed, http->tls.counts.resumed);
        counts_set(counts, COUNT_tls_failed, http->tls.counts.failed);
        counts_set(counts, COUNT_tls_closed, http->tls.counts.cut);
        counts_set(counts, COUNT_tls_late, http->tls.counts.late);
        counts_set(counts, COUNT_tls_shaking, http->tls.counts.shaking);
        counts_set(counts, COUNT_h2_begun, http->counts.h2.begun);
        counts_set(counts, COUNT_h2_streams_refused, http->counts.h2.streams_refused);
        counts_set(counts, COUNT_h2_glitches, http->counts.h2.glitches);
        counts_set(counts, COUNT_h2_resets, http->counts.h2.resets);
        counts_set(counts, COUNT_h2_stalled, http->counts.h2.stalled);
        counts_set(counts, COUNT_h2_ended_glitches, http->counts.h2.ended_glitches);
        counts_set(counts, COUNT_h2_ended_resets, http->counts.h2.ended_resets);
        counts_set(counts, COUNT_h2_ended_header, http->counts.h2.ended_head);
        counts_set(counts, COUNT_h2_bytes, http->h2_memory.used);
        counts_set(counts, COUNT_h2_bytes_max, http->h2_memory.max);
        counts_set(counts, COUNT_pages_used, page_pool_in_use(pages) * PAGE_SIZE);
        counts_set(counts, COUNT_pages_max, page_pool_max(pages) * PAGE_SIZE);
}
