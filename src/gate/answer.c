/* answer.c -- what the gateway says itself: problems, refusals, redirects. */
#include "gate/problem.h"
#include "gate/trip.h"
#include "wire/date.h"

struct str worker_date(struct worker *worker)
{
        uint64_t second = loop_wall(worker->http.loop) / 1000000000u;
        if (second != worker->date_second) {
                struct text text = text_over(worker->date, sizeof worker->date);
                date_write_http((int64_t)second, &text);
                worker->date_second = second;
        }
        return str_from(worker->date, DATE_HTTP_LENGTH);
}

void answer_begin(struct exchange *ex, struct trip *trip, uint16_t status)
{
        struct head *head = &ex->res.head;
        exchange_clear_response(ex);
        fields_init(&head->fields, &ex->arena, (uint16_t)(trip->answer_fields.count + 12));
        head->status = status;
        trip->is_own = true;
        fields_add_known(&head->fields, NAME_date,
                         arena_str(&ex->arena, worker_date(worker_of(ex))));
        fields_each (field, &trip->answer_fields) {
                fields_add(&head->fields, field->name, field->value);
        }
        fields_add_known(&head->fields, NAME_x_request_id, trip->ids.request);
        if (trip->ids.correlation.len > 0)
                fields_add_known(&head->fields, NAME_x_correlation_id, trip->ids.correlation);
}

void answer_problem(struct exchange *ex, struct trip *trip, enum reason reason)
{
        struct problem problem = {
                .reason = reason,
                .detail = trip->words.detail,
                .request_id = trip->ids.request,
                .types = trip->snapshot->problems,
        };
        enum problem_form form = problem_form(&ex->req.head.fields);
        struct text body = text_over(ex->http->scratch, PROBLEM_MAX);
        trip->outcome = reason;
        answer_begin(ex, trip, problem_status(&problem));
        problem_put_fields(&problem, form, &ex->res.head.fields, &ex->arena);
        problem_put(&problem, form, &body);
        body_fill(&ex->res.body, text_str(&body));
}

void answer_refusal(struct worker *worker, const struct conn *conn, enum reason reason,
                    struct text *out)
{
        const struct snapshot *snapshot = worker_snapshot(worker);
        struct problem problem = {.reason = reason};
        (void)conn;
        if (snapshot != NULL)
                problem.types = snapshot->problems;
        problem_put_answer(&problem, worker_date(worker), out);
}
