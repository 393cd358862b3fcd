/* count_board.c -- which names have series: held by snapshots, kept while one of them holds the
 * name, cleared when the last one has gone. The steward's thread. The memory of a series stays with
 * its index and is used again by the next name. */
#include "base/check.h"
#include "base/hash.h"
#include "record/count_int.h"

static const uint32_t names_max[SERIES_consumer] = {
        [SERIES_api] = SERIES_APIS_MAX,
        [SERIES_route] = SERIES_ROUTES_MAX,
        [SERIES_upstream] = SERIES_UPSTREAMS_MAX,
};

static const enum count names_gauge[SERIES_consumer] = {
        [SERIES_api] = COUNT_series_apis,
        [SERIES_route] = COUNT_series_routes,
        [SERIES_upstream] = COUNT_series_upstreams,
};

/* Threads write next to each other all the time: no two of them on one cache line. */
static void *alloc_apart(struct arena *arena, size_t size)
{
        size_t whole = (size + 2 * CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
        uintptr_t at = (uintptr_t)arena_zero(arena, 1, whole);
        return (void *)((at + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
}

/* Memory of the series of that index, for every thread. */
static void make_series(struct count_board *board, enum series_kind kind, uint32_t index)
{
        for (unsigned i = 0; i < board->threads; i++) {
                struct counts *counts = board->at[i];
                if (kind == SERIES_api)
                        counts->apis[index] = alloc_apart(&board->arena, sizeof(struct api_series));
                else if (kind == SERIES_route)
                        counts->routes[index] = alloc_apart(&board->arena, sizeof(struct cells));
                else
                        counts->upstreams[index] = alloc_apart(&board->arena,
                                                               sizeof(struct upstream_series));
        }
}

static void make_names(struct count_board *board, enum series_kind kind)
{
        struct names *names = &board->names[kind];
        names->max = names_max[kind];
        names->at = arena_array(&board->arena, struct entry, names->max);
        names->end = SERIES_FIRST;
        for (uint32_t i = 0; i < SERIES_FIRST; i++) {
                names->at[i].holds = 1;
                make_series(board, kind, i);
        }
        names->at[SERIES_OTHER].name = S("_other");
}

static uint8_t coarse_of(unsigned fine)
{
        uint64_t low = fine_low(fine);
        uint8_t bucket = 0;
        while (bucket < BUCKETS && low > bucket_bounds_ns[bucket])
                bucket++;
        return bucket;
}

static struct counts *make_counts(struct count_board *board)
{
        struct counts *counts = alloc_apart(&board->arena, sizeof *counts);
        counts->board = board;
        arena_init(&counts->arena, NULL, SIZE_MAX);
        for (unsigned i = 0; i < FINE_STEPS; i++)
                counts->coarse[i] = coarse_of(i);
        return counts;
}

struct count_board *count_board_make(unsigned workers)
{
        struct arena arena;
        arena_init(&arena, NULL, SIZE_MAX);
        struct count_board *board = arena_new(&arena, struct count_board);
        board->arena = arena;
        board->threads = workers + 1;
        board->at = arena_array(&board->arena, struct counts *, board->threads);
        for (unsigned i = 0; i < board->threads; i++)
                board->at[i] = make_counts(board);
        make_names(board, SERIES_api);
        make_names(board, SERIES_route);
        make_names(board, SERIES_upstream);
        atomic_store_explicit(&board->consumer_count, SERIES_FIRST, memory_order_relaxed);
        counts_set(count_board_of(board, workers), COUNT_workers, workers);
        return board;
}

void count_board_free(struct count_board *board)
{
        struct arena arena = board->arena;
        for (unsigned i = 0; i < board->threads; i++)
                arena_fini(&board->at[i]->arena);
        arena_fini(&arena);
}

struct counts *count_board_of(struct count_board *board, unsigned index)
{
        CHECK(index < board->threads);
        return board->at[index];
}

static struct counts *steward(struct count_board *board)
{
        return board->at[board->threads - 1];
}

/* ---- names ---- */

static uint32_t *head_of(struct names *names, struct str api, struct str name)
{
        uint64_t hash = hash_mix(hash_str(api), hash_str(name));
        return &names->heads[hash % NAMES_HEADS];
}

static void keep_text(struct count_board *board, struct entry *entry, struct str api,
                      struct str name)
{
        size_t len = api.len + name.len;
        if (len > entry->text_size) {
                entry->text_size = size_max(len, 2 * entry->text_size);
                entry->text = arena_alloc(&board->arena, entry->text_size);
        }
        if (api.len > 0)
                memcpy(entry->text, api.ptr, api.len);
        if (name.len > 0)
                memcpy(entry->text + api.len, name.ptr, name.len);
        entry->api = str_from(entry->text, api.len);
        entry->name = str_from(entry->text + api.len, name.len);
}

static uint32_t free_index(struct count_board *board, enum series_kind kind)
{
        struct names *names = &board->names[kind];
        uint32_t index = names->free;
        if (index != 0) {
                names->free = names->at[index].next;
                return index;
        }
        if (names->end == names->max)
                return 0;
        make_series(board, kind, names->end);
        return names->end++;
}

uint32_t series_hold(struct count_board *board, enum series_kind kind, struct str api,
                     struct str name)
{
        struct names *names = &board->names[kind];
        uint32_t *head = head_of(names, api, name);
        for (uint32_t i = *head; i != 0; i = names->at[i].next) {
                struct entry *entry = &names->at[i];
                if (str_eq(entry->api, api) && str_eq(entry->name, name)) {
                        entry->holds++;
                        return i;
                }
        }
        uint32_t index = free_index(board, kind);
        if (index == 0) {
                counts_add(steward(board), COUNT_series_refused, 1);
                return SERIES_OTHER;
        }
        struct entry *entry = &names->at[index];
        keep_text(board, entry, api, name);
        entry->holds = 1;
        entry->next = *head;
        *head = index;
        counts_set(steward(board), names_gauge[kind], ++names->in_use);
        return index;
}

static void clear_cell(struct cell *cell)
{
        number_clear(&cell->sum_ns);
        for (unsigned i = 0; i < countof(cell->buckets); i++)
                number_clear(&cell->buckets[i]);
}

/* Gives the cells back to the thread that made them. */
static void clear_cells(struct counts *counts, struct cells *cells)
{
        uint32_t count = atomic_load_explicit(&cells->count, memory_order_acquire);
        for (uint32_t i = 0; i < count; i++) {
                struct cell *cell = atomic_load_explicit(&cells->at[i], memory_order_relaxed);
                clear_cell(cell);
                cell->next = atomic_load_explicit(&counts->returned, memory_order_relaxed);
                while (!atomic_compare_exchange_weak_explicit(&counts->returned, &cell->next, cell,
                                                              memory_order_release,
                                                              memory_order_relaxed))
                        ;
        }
        atomic_store_explicit(&cells->count, 0, memory_order_release);
        clear_cell(&cells->rest);
}

static void clear_numbers(void *from, size_t size)
{
        number *at = from;
        for (size_t i = 0; i < size / sizeof *at; i++)
                number_clear(&at[i]);
}

static void clear_series(struct counts *counts, enum series_kind kind, uint32_t index)
{
        if (kind == SERIES_api) {
                clear_numbers(counts->apis[index], sizeof(struct api_series));
        } else if (kind == SERIES_route) {
                clear_cells(counts, counts->routes[index]);
        } else {
                struct upstream_series *upstream = counts->upstreams[index];
                number_clear(&upstream->tries);
                number_clear(&upstream->requests);
                clear_cells(counts, &upstream->cells);
        }
}

void series_release(struct count_board *board, enum series_kind kind, uint32_t index)
{
        struct names *names = &board->names[kind];
        struct entry *entry = &names->at[index];
        if (index < SERIES_FIRST)
                return;
        CHECK(entry->holds > 0);
        if (--entry->holds > 0)
                return;
        uint32_t *link = head_of(names, entry->api, entry->name);
        while (*link != index)
                link = &names->at[*link].next;
        *link = entry->next;
        for (unsigned i = 0; i < board->threads; i++)
                clear_series(board->at[i], kind, index);
        entry->next = names->free;
        names->free = index;
        counts_set(steward(board), names_gauge[kind], --names->in_use);
}
