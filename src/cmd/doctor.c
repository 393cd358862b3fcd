/* doctor.c -- `gate doctor`: will a gate be well on this machine? */
#include "cmd/doctor.h"

#include "cmd/show.h"
#include "wire/json_put.h"

enum { SHOWN_MAX = 1 << 20 };

struct finding *finding_add(struct doctor *doctor, enum finding_kind kind, const char *name,
                            const char *format, ...)
{
        static struct finding spare;
        struct finding *finding = &spare;
        va_list args;
        if (doctor->count < FINDINGS_MAX)
                finding = &doctor->findings[doctor->count++];
        va_start(args, format);
        struct str text = arena_vformat(&doctor->call->arena, format, args);
        va_end(args);
        *finding = (struct finding){kind, name, text, S("")};
        return finding;
}

static const struct {
        const char *mark, *word;
        enum show_color color;
} kinds[] = {
        [FINDING_good] = {"✓", "good", SHOW_GOOD},
        [FINDING_warning] = {"!", "warning", SHOW_WARN},
        [FINDING_bad] = {"✗", "bad", SHOW_BAD},
};

static void put_findings(const struct doctor *doctor, struct text *out)
{
        struct call *call = doctor->call;
        for (size_t i = 0; i < doctor->count; i++) {
                const struct finding *finding = &doctor->findings[i];
                if (call->is_quiet && finding->kind == FINDING_good)
                        continue;
                show_color(out, call->colors_out, kinds[finding->kind].color,
                           str_of(kinds[finding->kind].mark));
                text_format(out, " %-11s ", finding->name);
                show_text(out, finding->text, SIZE_MAX);
                text_char(out, '\n');
                if (finding->help.len == 0)
                        continue;
                text_put(out, S("                "));
                show_text(out, finding->help, SIZE_MAX);
                text_char(out, '\n');
        }
}

static void put_json(const struct doctor *doctor, struct text *out)
{
        struct json_put put = json_put_on(out);
        put_begin(&put, '{');
        put_u64_at(&put, "version", 1);
        put_key(&put, "findings");
        put_begin(&put, '[');
        for (size_t i = 0; i < doctor->count; i++) {
                const struct finding *finding = &doctor->findings[i];
                put_begin(&put, '{');
                put_text_at(&put, "about", str_of(finding->name));
                put_text_at(&put, "finding", str_of(kinds[finding->kind].word));
                put_text_at(&put, "text", finding->text);
                if (finding->help.len > 0)
                        put_text_at(&put, "help", finding->help);
                put_end(&put, '}');
        }
        put_end(&put, ']');
        put_end(&put, '}');
        text_char(out, '\n');
}

static int run(struct call *call)
{
        static struct doctor doctor;
        struct text out = text_grow(&call->arena, SHOWN_MAX);
        size_t counts[countof(kinds)] = {0};
        doctor.call = call;
        look_at_configuration(&doctor);
        look_at_gate(&doctor);
        look_at_ports(&doctor);
        look_at_services(&doctor);
        look_at_files(&doctor);
        look_at_limits(&doctor);
        look_at_kernel(&doctor);
        look_at_memory(&doctor);
        look_at_processors(&doctor);
        look_at_clock(&doctor);
        for (size_t i = 0; i < doctor.count; i++)
                counts[doctor.findings[i].kind]++;
        if (call->is_json)
                put_json(&doctor, &out);
        else
                put_findings(&doctor, &out);
        if (out.at != NULL)
                call_put(call, text_str(&out));
        if (!call->is_json)
                call_say(call, "%zu good, %zu to be looked at, %zu bad", counts[FINDING_good],
                         counts[FINDING_warning], counts[FINDING_bad]);
        if (doctor.bundle != NULL)
                bundle_free(doctor.bundle);
        return counts[FINDING_bad] > 0 ? EXIT_no : EXIT_done;
}

const struct command command_doctor = {
        .name = "doctor",
        .group = GROUP_operate,
        .line = "look whether a gate will be well on this machine, and say what helps",
        .paragraphs = COMMAND_TEXT(
                "The configuration and whether its ports are free, or who holds them; its "
                "services and their names; permissions of its files, room on the disk; how many "
                "descriptors may be open; queues and ports of the kernel; memory and processors "
                "of the machine or the container; the clock. Nothing is changed.",
                "The exit code is 1 when something is bad, which keeps a gate from serving; what "
                "only may hurt one day does not count. With --quiet, what is good is left out."),
        .samples = (const struct sample[]){{"gate doctor", "With ./gateway.yaml."},
                                           {"gate doctor -c /etc/gatehouse/gateway.yaml -q",
                                            "Only what is not as it should."},
                                           {0}},
        .exits = COMMAND_EXITS(EXIT_no),
        .run = run,
};
