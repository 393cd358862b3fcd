/* cidr.c -- addresses as the C library reads them, networks that come back as written, sets that
 * agree with their networks. Lines are parted by '\n'. */
#include "wire/cidr.h"

#include <arpa/inet.h>

#include "fuzz.h"

enum { NETWORKS_MAX = 32 };

static void check_ip(struct str s)
{
        uint8_t bytes[16], again[16], v6[16], v4[4];
        char memory[IP_TEXT_MAX], text[64];
        struct text out = text_over(memory, sizeof memory);
        bool is_good = ip_read(s, bytes) == ERR_ok;
        if (s.len < sizeof text && str_find(s, 0) < 0) {
                memcpy(text, s.ptr, s.len);
                text[s.len] = 0;
                bool is_v6 = inet_pton(AF_INET6, text, v6) == 1;
                bool is_v4 = inet_pton(AF_INET, text, v4) == 1;
                CHECK(is_good == (is_v4 || is_v6));
                if (is_v6)
                        CHECK(memcmp(bytes, v6, 16) == 0);
                if (is_v4)
                        CHECK(memcmp(bytes + 12, v4, 4) == 0);
        }
        if (!is_good)
                return;
        ip_write(bytes, &out);
        CHECK(!out.is_cut && ip_read(text_str(&out), again) == ERR_ok);
        CHECK(memcmp(bytes, again, sizeof bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct arena arena;
        struct cidr networks[NETWORKS_MAX], again;
        size_t count = 0;
        if (size < 16 || size > 4096)
                return 0;
        arena_init(&arena, NULL, 1 << 20);
        struct str all = fuzz_copy(fuzz_input(data + 16, size - 16)), rest = all;
        while (rest.ptr != NULL) {
                struct str line = str_cut(&rest, '\n');
                check_ip(line);
                if (count == NETWORKS_MAX || cidr_read(line, &networks[count]) != ERR_ok)
                        continue;
                char memory[IP_TEXT_MAX + 4];
                struct text text = text_over(memory, sizeof memory);
                cidr_write(&networks[count], &text);
                CHECK(!text.is_cut && cidr_read(text_str(&text), &again) == ERR_ok);
                CHECK(memcmp(&again, &networks[count], sizeof again) == 0);
                count++;
        }
        struct cidrs set = cidrs_make(networks, count, &arena);
        bool expected = false;
        for (size_t i = 0; i < count; i++)
                expected |= cidr_has(&networks[i], data);
        CHECK(cidrs_has(&set, data) == expected);
        for (size_t i = 0; i < count; i++)
                CHECK(cidrs_has(&set, networks[i].bytes) == cidrs_has(&set, networks[i].bytes) &&
                      (!cidr_has(&networks[i], networks[i].bytes) ||
                       cidrs_has(&set, networks[i].bytes)));
        fuzz_free(all);
        arena_fini(&arena);
        return 0;
}
