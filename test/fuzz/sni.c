/* sni.c -- the content of a server_name extension: what is taken for a name is one. */
#include "wire/sni.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char memory[SNI_NAME_MAX];
        struct str name;
        if (sni_read(fuzz_input(data, size), memory, &name) != ERR_ok)
                return 0;
        CHECK(name.len > 0 && name.len <= SNI_NAME_MAX && name.ptr == memory);
        for (size_t i = 0; i < name.len; i++)
                CHECK(name.ptr[i] == char_lower(name.ptr[i]) && name.ptr[i] > ' ');
        return 0;
}
