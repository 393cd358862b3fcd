/* series.c -- the series of a snapshot. Routes that differ by method or condition only share a
 * template, and so a series: the labels of their samples could not tell them apart. */
#include "gate/series.h"

void series_hold_all(struct count_board *board, struct snapshot *snapshot)
{
        for (uint32_t i = 0; i < snapshot->api_count; i++) {
                struct api *api = snapshot->api_list[i];
                api->series = series_hold(board, SERIES_api, STR_NONE, api->name);
        }
        for (uint32_t i = 0; i < snapshot->route_count; i++) {
                struct route *route = snapshot->route_list[i];
                route->series = series_hold(board, SERIES_route, route->api->name, route->template);
        }
        for (uint32_t i = 0; i < snapshot->upstream_count; i++) {
                struct upstream *upstream = snapshot->upstreams[i];
                upstream->series = series_hold(board, SERIES_upstream, STR_NONE, upstream->name);
        }
}

void series_release_all(struct count_board *board, const struct snapshot *snapshot)
{
        for (uint32_t i = 0; i < snapshot->api_count; i++)
                series_release(board, SERIES_api, snapshot->api_list[i]->series);
        for (uint32_t i = 0; i < snapshot->route_count; i++)
                series_release(board, SERIES_route, snapshot->route_list[i]->series);
        for (uint32_t i = 0; i < snapshot->upstream_count; i++)
                series_release(board, SERIES_upstream, snapshot->upstreams[i]->series);
}
