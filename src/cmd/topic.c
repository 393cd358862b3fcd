/* topic.c -- topics and their pages, each from the list that it explains. */
#include "cmd/topic.h"

#include "cmd/command.h"
#include "http/reason.h"
#include "policy/list.h"
#include "schema/fault.h"

/* ---- complaints ---- */

static bool write_code(struct str name, struct sheet *sheet)
{
        enum fault_code code = fault_code_find(name);
        if (code == FAULT_none)
                return false;
        sheet_title(sheet, fault_code_name(code), 7, str_of(fault_code_title(code)));
        sheet_text(sheet, str_of(fault_code_text(code)));
        sheet_text(sheet, fault_code_severity(code) == SEVERITY_error
                                  ? S("An error: the configuration is refused.")
                                  : S("A warning: the configuration is taken."));
        return true;
}

static void write_codes(struct sheet *sheet)
{
        for (int code = FAULT_none + 1; code < FAULT_COUNT; code++)
                sheet_item(sheet, str_of(fault_code_name((enum fault_code)code)),
                           str_of(fault_code_title((enum fault_code)code)));
}

/* ---- reasons ---- */

static bool write_reason(struct str name, struct sheet *sheet)
{
        char memory[160];
        struct text text = text_over(memory, sizeof memory);
        for (int i = REASON_none + 1; i < REASON_COUNT; i++) {
                enum reason reason = (enum reason)i;
                if (!str_eq(name, reason_token(reason)))
                        continue;
                sheet_title(sheet, arena_cstr(sheet->out->arena, name), 7, reason_text(reason));
                if (reason_status(reason) != 0)
                        text_format(&text, "The caller gets %u and a problem with this code.",
                                    reason_status(reason));
                else
                        text_put(&text, S("The caller gets no answer of the gateway's own."));
                sheet_text(sheet, text_str(&text));
                return true;
        }
        return false;
}

static void write_reasons(struct sheet *sheet)
{
        for (int i = REASON_none + 1; i < REASON_COUNT; i++)
                sheet_item(sheet, reason_token((enum reason)i), reason_text((enum reason)i));
}

/* ---- policies ---- */

static bool write_policy(struct str name, struct sheet *sheet)
{
        (void)sheet;
        for (size_t i = 0; i < policy_list.count; i++) {
                const struct shape *shape = policy_list.at[i]->shape;
                if (!str_is(name, shape->name))
                        continue;
                sheet_title(sheet, shape->name, 7, str_of(shape->text));
                return true;
        }
        return false;
}

static void write_policies(struct sheet *sheet)
{
        for (size_t i = 0; i < policy_list.count; i++)
                sheet_item(sheet, str_of(policy_list.at[i]->shape->name),
                           str_of(policy_list.at[i]->shape->text));
}

/* ---- the rest ---- */

static void write_exits(struct sheet *sheet)
{
#define LEAVE(name, number, text) sheet_item(sheet, S(#number), S(text));
#include "cmd/exits.def"
#undef LEAVE
}

static const struct topic {
        const char *name, *line;
        void (*write)(struct sheet *sheet);
} topics[] = {
        {"codes", "complaints about the configuration: E104, W203", write_codes},
        {"exit-codes", "what a command returns", write_exits},
        {"policies", "rules that requests and answers pass", write_policies},
        {"reasons", "why a request ended as it did: rate-limited", write_reasons},
};

bool topic_write(struct str name, struct sheet *sheet)
{
        for (size_t i = 0; i < countof(topics); i++) {
                if (!str_is(name, topics[i].name))
                        continue;
                sheet_title(sheet, topics[i].name, 7, str_of(topics[i].line));
                topics[i].write(sheet);
                return true;
        }
        return write_code(name, sheet) || write_policy(name, sheet) || write_reason(name, sheet);
}

void topic_write_list(struct sheet *sheet)
{
        for (size_t i = 0; i < countof(topics); i++)
                sheet_item(sheet, str_of(topics[i].name), str_of(topics[i].line));
}

struct str topic_nearest(struct str name)
{
        struct str names[countof(topics) + FAULT_COUNT + 64];
        size_t count = 0;
        for (size_t i = 0; i < countof(topics); i++)
                names[count++] = str_of(topics[i].name);
        for (size_t i = 0; i < policy_list.count && i < 64; i++)
                names[count++] = str_of(policy_list.at[i]->shape->name);
        struct str near = fault_nearest(name, names, count);
        return near.len > 0 ? near : command_nearest(name);
}
