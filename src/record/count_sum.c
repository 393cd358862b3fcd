/* count_sum.c -- reading: sums over all threads, while they go on counting. */
#include "base/check.h"
#include "record/count_int.h"

uint64_t counts_number(const struct count_board *board, enum count count)
{
        uint64_t sum = 0;
        for (unsigned i = 0; i < board->threads; i++)
                sum += number_get(&board->at[i]->numbers.at[count]);
        return sum;
}

unsigned series_end(const struct count_board *board, enum series_kind kind)
{
        if (kind != SERIES_consumer)
                return board->names[kind].end;
        uint32_t count = atomic_load_explicit(&board->consumer_count, memory_order_relaxed);
        return count < SERIES_CONSUMERS_MAX ? count : SERIES_CONSUMERS_MAX;
}

static bool consumer_name(const struct count_board *board, unsigned index,
                          struct series_name *ret_name)
{
        const struct seen *seen = atomic_load_explicit(&board->consumer_list[index],
                                                       memory_order_acquire);
        if (index == SERIES_OTHER) {
                *ret_name = (struct series_name){.name = S("_other")};
                return true;
        }
        if (seen == NULL)
                return false;
        *ret_name = (struct series_name){.name = seen->name};
        return true;
}

bool series_name(const struct count_board *board, enum series_kind kind, unsigned index,
                 struct series_name *ret_name)
{
        CHECK(index < series_end(board, kind));
        if (kind == SERIES_consumer)
                return consumer_name(board, index, ret_name);
        const struct entry *entry = &board->names[kind].at[index];
        if (entry->holds == 0)
                return false;
        *ret_name = (struct series_name){entry->api, entry->name};
        return true;
}

void series_api(const struct count_board *board, unsigned index, struct api_sum *ret_sum)
{
        struct api_sum sum = {0};
        for (unsigned i = 0; i < board->threads; i++) {
                const struct api_series *api = board->at[i]->apis[index];
                for (unsigned k = 0; k < REASON_COUNT; k++)
                        sum.reasons[k] += number_get(&api->reasons[k]);
                for (unsigned k = 0; k < STATUS_CLASSES; k++)
                        sum.statuses[k] += number_get(&api->statuses[k]);
                for (unsigned k = 0; k < FINE_STEPS; k++)
                        sum.fine[k] += number_get(&api->fine[k]);
                sum.request_bytes += number_get(&api->request_bytes);
                sum.response_bytes += number_get(&api->response_bytes);
        }
        *ret_sum = sum;
}

void series_upstream(const struct count_board *board, unsigned index, struct upstream_sum *ret_sum)
{
        struct upstream_sum sum = {0};
        for (unsigned i = 0; i < board->threads; i++) {
                const struct upstream_series *upstream = board->at[i]->upstreams[index];
                sum.tries += number_get(&upstream->tries);
                sum.requests += number_get(&upstream->requests);
        }
        *ret_sum = sum;
}

void series_consumer(const struct count_board *board, unsigned index, uint64_t ret_sum[CLASSES])
{
        for (unsigned class = 0; class < CLASSES; class ++) {
                ret_sum[class] = 0;
                for (unsigned i = 0; i < board->threads; i++)
                        ret_sum[class] += number_get(
                                &board->at[i]->consumers[index].classes[class]);
        }
}

static void add_cell(const struct cell *cell, struct cell_sum *sum)
{
        sum->sum_ns += number_get(&cell->sum_ns);
        for (unsigned i = 0; i < countof(sum->buckets); i++)
                sum->buckets[i] += number_get(&cell->buckets[i]);
}

/* The sum of that key among those found so far, or a new one; NULL: no room for another. */
static struct cell_sum *sum_of(struct cell_sum *sums, unsigned *count, uint32_t key)
{
        struct cell_sum fresh = {
                .method = (uint8_t)(key >> 10 & 63),
                .status = (uint16_t)(key & 1023),
                .reason = (enum reason)(key >> 16),
        };
        for (unsigned i = 0; i < *count; i++) {
                if (sums[i].method == fresh.method && sums[i].status == fresh.status &&
                    sums[i].reason == fresh.reason)
                        return &sums[i];
        }
        if (*count == CELLS_MAX)
                return NULL;
        sums[*count] = fresh;
        return &sums[(*count)++];
}

static const struct cells *cells_of(const struct counts *counts, enum series_kind kind,
                                    unsigned index)
{
        return kind == SERIES_route ? counts->routes[index] : &counts->upstreams[index]->cells;
}

unsigned series_cells(const struct count_board *board, enum series_kind kind, unsigned index,
                      struct cell_sum *sums)
{
        struct cell_sum rest = {.is_rest = true};
        unsigned count = 0;
        uint64_t in_rest = 0;
        for (unsigned i = 0; i < board->threads; i++) {
                const struct cells *cells = cells_of(board->at[i], kind, index);
                uint32_t filled = atomic_load_explicit(&cells->count, memory_order_acquire);
                for (uint32_t k = 0; k < filled; k++) {
                        uint32_t key = atomic_load_explicit(&cells->keys[k], memory_order_relaxed);
                        struct cell_sum *sum = sum_of(sums, &count, key);
                        add_cell(atomic_load_explicit(&cells->at[k], memory_order_relaxed),
                                 sum == NULL ? &rest : sum);
                }
                add_cell(&cells->rest, &rest);
        }
        for (unsigned k = 0; k < countof(rest.buckets); k++)
                in_rest += rest.buckets[k];
        if (in_rest > 0)
                sums[count++] = rest;
        return count;
}

uint64_t fine_quantile(const uint64_t fine[FINE_STEPS], unsigned of_10000)
{
        uint64_t total = 0, seen = 0;
        for (unsigned i = 0; i < FINE_STEPS; i++)
                total += fine[i];
        if (total == 0)
                return 0;
        uint64_t wanted = (total * of_10000 + 9999) / 10000;
        for (unsigned i = 0; i < FINE_STEPS; i++) {
                seen += fine[i];
                if (seen >= wanted && seen > 0)
                        return fine_low(i + 1);
        }
        return fine_low(FINE_STEPS - 1);
}
