/* exposition.c -- metrics as text. What comes next is a metric, a series of it, and a row: all that
 * is written at once is one row, and a row that does not fit is written first next time. */
#include "admin/exposition.h"

#include "gate/snapshot.h"
#include "net/cert.h"

#include "http/message.h"
#include "wire/accept.h"

enum kind { COUNTER, GAUGE, HISTOGRAM, INFO };

struct family {
        struct str name; /* of the family, as Prometheus' own format writes it */
        struct str help;
        enum kind kind;
        bool is_seconds, is_bytes;
};

#define IS(unit, what) (sizeof(unit) == sizeof(what) && (unit)[0] == (what)[0])
static const struct family families[METRIC_TOTAL] = {
#define METRIC(id, kind, name, otel, unit, labels, help)                                           \
        {S_INIT(name), S_INIT(help), kind, IS(unit, "s"), IS(unit, "By")},
#define COUNT(id, metric, labels)
#include "record/metric.def"
#undef METRIC
#undef COUNT
};

static const struct {
        enum metric metric;
        struct str labels;
} numbers[COUNT_TOTAL] = {
#define METRIC(id, kind, name, otel, unit, labels, help)
#define COUNT(id, metric, labels) {METRIC_##metric, S_INIT(labels)},
#include "record/metric.def"
#undef METRIC
#undef COUNT
};

enum exposition_form exposition_form(const struct fields *request)
{
        unsigned open = accept_quality_named(request, S("application/openmetrics-text"));
        return open > 0 && open >= accept_quality(request, S("text/plain")) ? EXPOSITION_OPENMETRICS
                                                                            : EXPOSITION_PROMETHEUS;
}

struct str exposition_type(enum exposition_form form)
{
        return form == EXPOSITION_OPENMETRICS
                       ? S("application/openmetrics-text; version=1.0.0; charset=utf-8")
                       : S("text/plain; version=0.0.4; charset=utf-8");
}

/* ---- families ---- */

/* OpenMetrics calls a family by its name without the suffix of its samples. */
static struct str family_name(const struct exposition *exposition, const struct family *family)
{
        struct str name = family->name;
        if (exposition->form == EXPOSITION_OPENMETRICS && family->kind == COUNTER)
                name.len -= sizeof "_total" - 1;
        if (exposition->form == EXPOSITION_OPENMETRICS && family->kind == INFO)
                name.len -= sizeof "_info" - 1;
        return name;
}

static struct str kind_name(const struct exposition *exposition, enum kind kind)
{
        static const struct str names[] = {
                [COUNTER] = S_INIT("counter"),
                [GAUGE] = S_INIT("gauge"),
                [HISTOGRAM] = S_INIT("histogram"),
                [INFO] = S_INIT("info"),
        };
        if (kind == INFO && exposition->form == EXPOSITION_PROMETHEUS)
                return names[GAUGE];
        return names[kind];
}

static void put_line(struct text *out, struct str what, struct str name, struct str value)
{
        text_put(out, S("# "));
        text_put(out, what);
        text_char(out, ' ');
        text_put(out, name);
        text_char(out, ' ');
        text_put(out, value);
        text_char(out, '\n');
}

static void put_family(const struct exposition *exposition, const struct family *family,
                       struct text *out)
{
        struct str name = family_name(exposition, family);
        put_line(out, S("HELP"), name, family->help);
        put_line(out, S("TYPE"), name, kind_name(exposition, family->kind));
        if (exposition->form == EXPOSITION_PROMETHEUS)
                return;
        if (family->is_seconds)
                put_line(out, S("UNIT"), name, S("seconds"));
        if (family->is_bytes)
                put_line(out, S("UNIT"), name, S("bytes"));
}

/* ---- samples ---- */

/* A label; nothing when its value is empty, which is the same to who reads. */
static void put_label(struct text *out, const char *name, struct str value)
{
        if (value.len == 0)
                return;
        if (out->len > 0)
                text_char(out, ',');
        text_put(out, str_of(name));
        text_put(out, S("=\""));
        for (size_t i = 0; i < value.len && i < EXPOSITION_LABEL_MAX;) {
                size_t len = str_utf8(value, i);
                char c = value.ptr[i];
                if (c == '\\' || c == '"')
                        text_char(out, '\\');
                if (c == '\n')
                        text_put(out, S("\\n"));
                else if (len > 0)
                        text_put(out, str_from(value.ptr + i, len));
                else
                        text_char(out, '?');
                i += len == 0 ? 1 : len;
        }
        text_char(out, '"');
}

static void put_sample(struct text *out, struct str name, struct str labels)
{
        text_put(out, name);
        if (labels.len > 0) {
                text_char(out, '{');
                text_put(out, labels);
                text_char(out, '}');
        }
        text_char(out, ' ');
}

static void put_value(struct text *out, const struct family *family, struct str labels,
                      uint64_t value)
{
        put_sample(out, family->name, labels);
        if (family->is_seconds)
                text_decimal(out, value, 9);
        else
                text_u64(out, value);
        text_char(out, '\n');
}

enum { LABELS_SIZE = 6 * 1024 };

/* ---- rows: each writes the row of that number, or says that there is none ---- */

enum row { ROW_PUT, ROW_NOTHING, ROW_END };

static enum row number_row(const struct exposition *exposition, struct text *out)
{
        unsigned at = exposition->series;
        if (at >= COUNT_TOTAL)
                return ROW_END;
        if (numbers[at].metric != exposition->metric)
                return ROW_NOTHING;
        put_value(out, &families[exposition->metric], numbers[at].labels,
                  counts_number(exposition->board, (enum count)at));
        return ROW_PUT;
}

static enum row info_row(const struct exposition *exposition, struct text *out)
{
        char memory[LABELS_SIZE];
        struct text labels = text_over(memory, sizeof memory);
        bool is_build = exposition->metric == METRIC_build;
        if (exposition->series > 0)
                return ROW_END;
        struct str value = is_build ? exposition->version : exposition->config;
        if (value.len == 0)
                return ROW_NOTHING;
        put_label(&labels, is_build ? "version" : "hash", value);
        put_value(out, &families[exposition->metric], text_str(&labels), 1);
        return ROW_PUT;
}

static void put_reasons(const struct family *family, struct str api, const struct api_sum *sum,
                        struct text *out)
{
        for (unsigned reason = 0; reason < REASON_COUNT; reason++) {
                char memory[LABELS_SIZE];
                struct text labels = text_over(memory, sizeof memory);
                if (sum->reasons[reason] == 0 && (reason != REASON_done || api.len == 0))
                        continue;
                put_label(&labels, "gatehouse_api", api);
                put_label(&labels, "gatehouse_reason", reason_token((enum reason)reason));
                put_value(out, family, text_str(&labels), sum->reasons[reason]);
        }
}

static enum row api_row(const struct exposition *exposition, struct text *out)
{
        const struct family *family = &families[exposition->metric];
        char memory[LABELS_SIZE];
        struct text labels = text_over(memory, sizeof memory);
        struct series_name name;
        struct api_sum sum;
        if (exposition->series >= series_end(exposition->board, SERIES_api))
                return ROW_END;
        if (!series_name(exposition->board, SERIES_api, exposition->series, &name))
                return ROW_NOTHING;
        series_api(exposition->board, exposition->series, &sum);
        if (exposition->metric == METRIC_requests) {
                put_reasons(family, name.name, &sum, out);
                return ROW_PUT;
        }
        uint64_t value = exposition->metric == METRIC_rate_limited
                                 ? sum.reasons[REASON_rate_limited]
                         : exposition->metric == METRIC_request_bytes ? sum.request_bytes
                                                                      : sum.response_bytes;
        if (value == 0 && exposition->series < SERIES_FIRST)
                return ROW_NOTHING;
        put_label(&labels, "gatehouse_api", name.name);
        put_value(out, family, text_str(&labels), value);
        return ROW_PUT;
}

static enum row consumer_row(const struct exposition *exposition, struct text *out)
{
        static const char *const class_names[CLASSES] = {"", "client", "server"};
        uint64_t classes[CLASSES];
        struct series_name name;
        if (exposition->series >= series_end(exposition->board, SERIES_consumer))
                return ROW_END;
        if (!series_name(exposition->board, SERIES_consumer, exposition->series, &name) ||
            name.name.len == 0)
                return ROW_NOTHING;
        series_consumer(exposition->board, exposition->series, classes);
        for (unsigned class = 0; class < CLASSES; class ++) {
                char memory[LABELS_SIZE];
                struct text labels = text_over(memory, sizeof memory);
                if (classes[class] == 0)
                        continue;
                put_label(&labels, "gatehouse_consumer", name.name);
                put_label(&labels, "error_type", str_of(class_names[class]));
                put_value(out, &families[exposition->metric], text_str(&labels), classes[class]);
        }
        return ROW_PUT;
}

static enum row upstream_row(const struct exposition *exposition, struct text *out)
{
        char memory[LABELS_SIZE];
        struct text labels = text_over(memory, sizeof memory);
        struct series_name name;
        struct upstream_sum sum;
        if (exposition->series >= series_end(exposition->board, SERIES_upstream))
                return ROW_END;
        if (!series_name(exposition->board, SERIES_upstream, exposition->series, &name))
                return ROW_NOTHING;
        series_upstream(exposition->board, exposition->series, &sum);
        if (sum.tries == 0 && exposition->series < SERIES_FIRST)
                return ROW_NOTHING;
        put_label(&labels, "gatehouse_upstream", name.name);
        put_value(out, &families[exposition->metric], text_str(&labels),
                  exposition->metric == METRIC_tries ? sum.tries : sum.tries - sum.requests);
        return ROW_PUT;
}

/* ---- histograms ---- */

static void put_cell_labels(enum series_kind kind, const struct series_name *name,
                            const struct cell_sum *cell, struct text *labels)
{
        char digits[8];
        struct text status = text_over(digits, sizeof digits);
        if (kind == SERIES_route) {
                struct str method = method_text((enum method)cell->method);
                put_label(labels, "gatehouse_api", name->api);
                put_label(labels, "http_route", name->name);
                put_label(labels, "http_request_method",
                          method.len == 0 || cell->is_rest ? S("_OTHER") : method);
        } else {
                put_label(labels, "gatehouse_upstream", name->name);
        }
        if (cell->status > 0)
                text_u64(&status, cell->status);
        put_label(labels, "http_response_status_code", text_str(&status));
        if (cell->is_rest)
                put_label(labels, "error_type", S("_OTHER"));
        else if (cell->reason != REASON_done)
                put_label(labels, "error_type", reason_token(cell->reason));
}

static void put_bucket(const struct exposition *exposition, struct text *out, struct str labels,
                       unsigned bucket)
{
        text_put(out, families[exposition->metric].name);
        text_put(out, S("_bucket{"));
        text_put(out, labels);
        text_put(out, labels.len > 0 ? S(",le=\"") : S("le=\""));
        if (bucket == BUCKETS) {
                text_put(out, S("+Inf"));
        } else {
                text_decimal(out, bucket_bounds_ns[bucket], 9);
                if (exposition->form == EXPOSITION_OPENMETRICS &&
                    bucket_bounds_ns[bucket] % 1000000000 == 0)
                        text_put(out, S(".0"));
        }
        text_put(out, S("\"} "));
}

static void put_histogram(const struct exposition *exposition, struct text *out, struct str labels,
                          const struct cell_sum *cell)
{
        struct str name = families[exposition->metric].name;
        uint64_t count = 0;
        for (unsigned i = 0; i <= BUCKETS; i++) {
                count += cell->buckets[i];
                put_bucket(exposition, out, labels, i);
                text_u64(out, count);
                text_char(out, '\n');
        }
        text_put(out, name);
        put_sample(out, S("_sum"), labels);
        text_decimal(out, cell->sum_ns, 9);
        text_char(out, '\n');
        text_put(out, name);
        put_sample(out, S("_count"), labels);
        text_u64(out, count);
        text_char(out, '\n');
}

/* A cell of the series in turn; the series is read when its first cell is. */
static enum row cell_row(struct exposition *exposition, struct text *out)
{
        enum series_kind kind = exposition->metric == METRIC_request_duration ? SERIES_route
                                                                              : SERIES_upstream;
        char memory[LABELS_SIZE];
        struct text labels = text_over(memory, sizeof memory);
        struct series_name name;
        if (exposition->series >= series_end(exposition->board, kind))
                return ROW_END;
        if (!series_name(exposition->board, kind, exposition->series, &name))
                return ROW_NOTHING;
        if (exposition->row == 0)
                exposition->cell_count = series_cells(exposition->board, kind, exposition->series,
                                                      exposition->cells);
        if (exposition->row >= exposition->cell_count)
                return ROW_NOTHING;
        const struct cell_sum *cell = &exposition->cells[exposition->row];
        put_cell_labels(kind, &name, cell, &labels);
        put_histogram(exposition, out, text_str(&labels), cell);
        return ROW_PUT;
}

/* ---- targets ---- */

struct target_walk {
        const struct exposition *exposition;
        struct text *out;
        unsigned at; /* of the target in hand */
        bool is_found;
};

static void put_target(struct text *out, enum metric metric, const struct target_state *state,
                       struct str labels)
{
        char memory[LABELS_SIZE];
        struct text more = text_over(memory, sizeof memory);
        switch (metric) {
        case METRIC_healthy:
                put_value(out, &families[metric], labels, !state->is_out);
                return;
        case METRIC_ejections:
                put_value(out, &families[metric], labels, state->ejected);
                return;
        case METRIC_upstream_active:
                put_value(out, &families[metric], labels, state->in_flight);
                return;
        default:
                text_put(&more, labels);
                put_label(&more, "http_connection_state", S("idle"));
                put_value(out, &families[metric], text_str(&more), state->idle);
                more.len = labels.len;
                put_label(&more, "http_connection_state", S("active"));
                put_value(out, &families[metric], text_str(&more),
                          state->open > state->idle ? state->open - state->idle : 0);
                return;
        }
}

static void on_target(void *arg, const struct target_state *state)
{
        struct target_walk *walk = arg;
        char memory[LABELS_SIZE], address[ADDR_TEXT_MAX];
        struct text labels = text_over(memory, sizeof memory);
        struct text where = text_over(address, sizeof address);
        if (walk->at++ != walk->exposition->series)
                return;
        walk->is_found = true;
        addr_put(&where, &state->addr);
        put_label(&labels, "gatehouse_upstream", state->upstream);
        put_label(&labels, "gatehouse_target", state->target);
        put_label(&labels, "server_address", text_str(&where));
        put_target(walk->out, (enum metric)walk->exposition->metric, state, text_str(&labels));
}

static enum row target_row(const struct exposition *exposition, struct text *out)
{
        struct target_walk walk = {.exposition = exposition, .out = out};
        if (exposition->each_target == NULL)
                return ROW_END;
        exposition->each_target(exposition->live, on_target, &walk);
        return walk.is_found ? ROW_PUT : ROW_END;
}

/* ---- certificates ---- */

static enum row cert_row(const struct exposition *exposition, struct text *out)
{
        enum { MARK_BYTES = 8 };
        const struct listener_rules *listener;
        const struct cert *cert = NULL;
        char memory[LABELS_SIZE], hex[2 * MARK_BYTES];
        struct text labels = text_over(memory, sizeof memory);
        struct text mark = text_over(hex, sizeof hex);
        if (exposition->snapshot != NULL)
                cert = snapshot_cert(*exposition->snapshot, exposition->series, &listener);
        if (cert == NULL)
                return ROW_END;
        digest_write(&cert->fingerprint, MARK_BYTES, &mark);
        put_label(&labels, "gatehouse_listener", listener->name);
        put_label(&labels, "server_address", cert->names_count > 0 ? cert->names[0] : S(""));
        put_label(&labels, "gatehouse_certificate", text_str(&mark));
        put_value(out, &families[exposition->metric], text_str(&labels),
                  cert->until > 0 ? (uint64_t)cert->until * SECOND : 0);
        return ROW_PUT;
}

/* ---- all of it ---- */

static enum row put_row(struct exposition *exposition, struct text *out)
{
        switch ((enum metric)exposition->metric) {
        case METRIC_request_duration:
        case METRIC_upstream_duration:
                return cell_row(exposition, out);
        case METRIC_requests:
        case METRIC_rate_limited:
        case METRIC_request_bytes:
        case METRIC_response_bytes:
                return api_row(exposition, out);
        case METRIC_consumer_requests:
                return consumer_row(exposition, out);
        case METRIC_tries:
        case METRIC_retries:
                return upstream_row(exposition, out);
        case METRIC_healthy:
        case METRIC_ejections:
        case METRIC_upstream_active:
        case METRIC_upstream_connections:
                return target_row(exposition, out);
        case METRIC_cert_expiry:
                return cert_row(exposition, out);
        case METRIC_config_hash:
        case METRIC_build:
                return info_row(exposition, out);
        default:
                return number_row(exposition, out);
        }
}

static bool has_cells(const struct exposition *exposition)
{
        return exposition->metric == METRIC_request_duration ||
               exposition->metric == METRIC_upstream_duration;
}

static void step(struct exposition *exposition, enum row row)
{
        if (row == ROW_END) {
                exposition->metric++;
                exposition->series = exposition->row = 0;
        } else if (row == ROW_PUT && has_cells(exposition)) {
                exposition->row++;
        } else {
                exposition->series++;
                exposition->row = 0;
        }
}

bool exposition_next(struct exposition *exposition, struct text *out)
{
        while (exposition->metric < METRIC_TOTAL) {
                size_t from = out->len;
                bool is_first = exposition->series == 0 && exposition->row == 0;
                if (is_first)
                        put_family(exposition, &families[exposition->metric], out);
                enum row row = put_row(exposition, out);
                if (out->is_cut) {
                        out->len = from;
                        out->is_cut = false;
                        return true;
                }
                step(exposition, row);
        }
        if (exposition->form == EXPOSITION_OPENMETRICS)
                text_put(out, S("# EOF\n"));
        return false;
}
