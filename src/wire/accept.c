/* accept.c -- quality of media types. Parameters other than q narrow a range to something that is
 * not asked about here, so they are passed over: a range with them counts as the range without. */
#include "wire/accept.h"

enum { SPECIFIC_NONE, SPECIFIC_ALL, SPECIFIC_MAIN, SPECIFIC_FULL };

/* qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ) (RFC 9110 12.4.2) */
static bool read_quality(struct str s, unsigned *ret_quality)
{
        unsigned quality, place = 100;
        if (s.len < 1 || s.len > 5 || (s.ptr[0] != '0' && s.ptr[0] != '1'))
                return false;
        if (s.len > 1 && s.ptr[1] != '.')
                return false;
        quality = s.ptr[0] == '1' ? QUALITY_FULL : 0;
        for (size_t i = 2; i < s.len; i++, place /= 10) {
                if (!char_is_digit(s.ptr[i]))
                        return false;
                quality += (unsigned)(s.ptr[i] - '0') * place;
        }
        if (quality > QUALITY_FULL)
                return false;
        *ret_quality = quality;
        return true;
}

static int specificity(struct str range, struct str type)
{
        struct str main = str_first(type, (size_t)(str_find(type, '/') + 1));
        if (str_eq_nocase(range, type))
                return SPECIFIC_FULL;
        if (str_is(range, "*/*"))
                return SPECIFIC_ALL;
        if (range.len == main.len + 1 && range.ptr[main.len] == '*' &&
            str_eq_nocase(str_first(range, main.len), main))
                return SPECIFIC_MAIN;
        return SPECIFIC_NONE;
}

/* One member of Accept: true when it is well formed and covers the type. */
static bool read_member(struct str member, struct str type, int *ret_specific,
                        unsigned *ret_quality)
{
        struct str rest = member;
        struct str range = str_trim(str_cut(&rest, ';'));
        unsigned quality = QUALITY_FULL;
        int specific = specificity(range, type);
        while (rest.ptr != NULL) {
                struct str parameter = str_trim(str_cut(&rest, ';'));
                if (parameter.len >= 2 && char_lower(parameter.ptr[0]) == 'q' &&
                    parameter.ptr[1] == '=' && !read_quality(str_skip(parameter, 2), &quality))
                        return false;
        }
        *ret_specific = specific;
        *ret_quality = quality;
        return specific != SPECIFIC_NONE;
}

static unsigned quality_of(const struct fields *fields, struct str type, int least)
{
        struct fields_walk walk = {.fields = fields, .id = NAME_accept};
        struct str member;
        unsigned best = 0;
        int best_specific = least;
        while (fields_member(&walk, &member)) {
                unsigned quality;
                int specific;
                if (!read_member(member, type, &specific, &quality) || specific < best_specific)
                        continue;
                if (specific > best_specific || quality > best)
                        best = quality;
                best_specific = specific;
        }
        return best;
}

unsigned accept_quality(const struct fields *fields, struct str type)
{
        if (fields_get(fields, NAME_accept) == NULL)
                return QUALITY_FULL;
        return quality_of(fields, type, SPECIFIC_ALL);
}

unsigned accept_quality_named(const struct fields *fields, struct str type)
{
        return quality_of(fields, type, SPECIFIC_FULL);
}
