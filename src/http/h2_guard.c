/* h2_guard.c -- floods. Every frame that costs its sender little and us something draws on a budget
 * of its conn: of glitches (frames of no use) or of resets (streams begun in vain, whoever broke
 * them off: a caller can make us do it, CVE-2025-8671). What a caller that means well sends beside
 * its requests and bodies (windows, pings, priorities) is made good for by those. */
#include "http/h2_int.h"

static bool spend(struct h2 *h2, struct h2_budget *budget, uint32_t cost, uint32_t most)
{
        uint64_t now = loop_now(h2->conn->http->loop);
        if (now - budget->since > H2_WINDOW_NS)
                *budget = (struct h2_budget){.since = now};
        budget->spent += cost;
        return budget->spent <= most;
}

void h2_glitch(struct h2 *h2, uint32_t cost)
{
        struct h2_counts *counts = &h2->conn->http->counts.h2;
        counts->glitches += cost;
        if (h2->has_error || spend(h2, &h2->glitches, cost, h2_entrance(h2)->limits.h2.glitches))
                return;
        counts->ended_glitches++;
        h2_fail(h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

void h2_guard_reset(struct h2 *h2)
{
        struct h2_counts *counts = &h2->conn->http->counts.h2;
        counts->resets++;
        if (h2->has_error || spend(h2, &h2->resets, 1, h2_entrance(h2)->limits.h2.resets))
                return;
        counts->ended_resets++;
        h2_fail(h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

void h2_credit(struct h2 *h2, uint32_t frames)
{
        h2->credit = (uint32_t)size_min(h2->credit + frames, H2_CREDIT_MAX);
}

/* A section of more bytes than could be read into the limits is not decoded further (VU#421644). */
static void guard_block(struct h2 *h2, const nghttp2_frame_hd *hd)
{
        const struct h1_limits *limits = &h2_entrance(h2)->limits.h1;
        if (hd->type == NGHTTP2_HEADERS)
                h2->block = 0;
        h2->block += (uint32_t)hd->length;
        if (h2->block <= 2 * (limits->header + limits->target) || h2->has_error)
                return;
        h2->conn->http->counts.h2.ended_head++;
        h2_fail(h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

void h2_guard_frame(struct h2 *h2, const nghttp2_frame_hd *hd)
{
        switch (hd->type) {
        case NGHTTP2_HEADERS:
        case NGHTTP2_CONTINUATION:
                guard_block(h2, hd);
                return;
        case NGHTTP2_DATA:
                if (hd->length > 0 || (hd->flags & NGHTTP2_FLAG_END_STREAM) != 0)
                        return;
                h2_glitch(h2, 1); /* CVE-2019-9518: no credit makes good for it */
                return;
        case NGHTTP2_RST_STREAM:
                return; /* counted when there was something to break off */
        case NGHTTP2_SETTINGS:
                if ((hd->flags & NGHTTP2_FLAG_ACK) != 0 && !h2->is_acked) {
                        h2->is_acked = true;
                        return;
                }
                break;
        default:
                break;
        }
        if (h2->credit > 0)
                h2->credit--;
        else
                h2_glitch(h2, 1);
}
