/* forwarded.c -- hops in front of us, in both fields: the answer is the peer or an address that the
 * last untrusted hop wrote, and what is written is read back. Lines are parted by '\n'. */
#include "wire/forwarded.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct arena arena;
        struct cidr network;
        struct fields fields;
        uint8_t peer[16], client[16], node[16];
        if (size == 0 || size > 4096)
                return 0;
        arena_init(&arena, NULL, 1 << 20);
        struct str all = fuzz_copy(fuzz_input(data + 1, size - 1)), rest = all;
        enum name id = data[0] % 2 == 0 ? NAME_forwarded : NAME_x_forwarded_for;
        fields_init(&fields, &arena, 2);
        while (rest.ptr != NULL)
                fields_add_known(&fields, id, str_cut(&rest, '\n'));
        CHECK(cidr_read(S("10.0.0.0/8"), &network) == ERR_ok);
        CHECK(ip_read(data[0] % 4 < 2 ? S("10.0.0.1") : S("192.0.2.1"), peer) == ERR_ok);
        struct cidrs trusted = cidrs_make(&network, 1, &arena);
        memcpy(client, peer, sizeof client);
        forwarded_walk(&fields, id, &trusted, client);
        if (!cidrs_has(&trusted, peer))
                CHECK(memcmp(client, peer, sizeof peer) == 0);
        char memory[256];
        struct text text = text_over(memory, sizeof memory);
        forwarded_write(client, S("a.test:81"), S("https"), &text);
        struct forwarded_element element;
        CHECK(forwarded_read(text_str(&text), &element) == ERR_ok);
        CHECK(forwarded_node_read(element.node, node) == ERR_ok);
        CHECK(memcmp(node, client, sizeof node) == 0);
        fuzz_free(all);
        arena_fini(&arena);
        return 0;
}
