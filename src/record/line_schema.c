/* line_schema.c -- what a JSON line of the access log is, as JSON Schema 2020-12, out of line.def.
 */
#include "record/line.h"

/* What each kind is in JSON. */
#define TYPE_TEXT         "\"type\":\"string\""
#define TYPE_SAFE         TYPE_TEXT
#define TYPE_METHOD       TYPE_TEXT
#define TYPE_OTHER_METHOD TYPE_TEXT
#define TYPE_VERSION      "\"enum\":[\"1.0\",\"1.1\",\"2\"]"
#define TYPE_ADDRESS      TYPE_TEXT ",\"anyOf\":[{\"format\":\"ipv4\"},{\"format\":\"ipv6\"}]"
#define TYPE_NUMBER       "\"type\":\"integer\",\"minimum\":0"
#define TYPE_COUNT        "\"type\":\"integer\",\"minimum\":1"
#define TYPE_STATUS       "\"type\":\"integer\",\"minimum\":100,\"maximum\":999"
#define TYPE_DURATION     "\"type\":\"number\",\"minimum\":0"
#define TYPE_SECONDS      "\"type\":\"number\",\"exclusiveMinimum\":0"

static void put_property(struct text *out, const char *name, const char *type, const char *help)
{
        text_char(out, '"');
        text_put(out, str_of(name));
        text_put(out, S("\":{"));
        text_put(out, str_of(type));
        text_put(out, S(",\"description\":\""));
        text_json(out, str_of(help));
        text_put(out, S("\"}"));
}

static void put_attributes(struct text *out)
{
        static const struct {
                const char *name, *type, *help;
        } attributes[] = {
#define LINE(name, kind, value, help) {name, TYPE_##kind, help},
#include "record/line.def"
#undef LINE
        };
        for (size_t i = 0; i < countof(attributes); i++) {
                if (i > 0)
                        text_char(out, ',');
                put_property(out, attributes[i].name, attributes[i].type, attributes[i].help);
        }
}

void line_schema_put(struct text *out)
{
        text_put(out, S("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
                        "\"title\":\"Gatehouse access log line\",\"type\":\"object\","
                        "\"additionalProperties\":false,"
                        "\"required\":[\"timestamp\",\"severity_text\",\"body\",\"attributes\"],"
                        "\"properties\":{"));
        put_property(out, "timestamp", "\"type\":\"string\",\"format\":\"date-time\"",
                     "When the head of the request was complete, UTC.");
        text_char(out, ',');
        put_property(out, "severity_text", "\"enum\":[\"INFO\",\"WARN\",\"ERROR\"]",
                     "WARN: the upstream answered 5xx. ERROR: the gateway or the way to the "
                     "upstream failed.");
        text_char(out, ',');
        put_property(out, "body", TYPE_TEXT, "Method, route and status, for people.");
        text_char(out, ',');
        put_property(out, "trace_id", "\"type\":\"string\",\"pattern\":\"^[0-9a-f]{32}$\"",
                     "Id of the trace, as in traceparent.");
        text_char(out, ',');
        put_property(out, "span_id", "\"type\":\"string\",\"pattern\":\"^[0-9a-f]{16}$\"",
                     "Id of the gateway's span.");
        text_put(out, S(",\"attributes\":{\"type\":\"object\",\"additionalProperties\":false,"
                        "\"required\":[\"http.server.request.duration\",\"http.request.body.size\","
                        "\"http.response.body.size\","
                        "\"client.address\",\"gatehouse.reason\"],\"properties\":{"));
        put_attributes(out);
        text_put(out, S("}}}}\n"));
}
