/* fuzz_jwt.c - one input is a token, then a set of keys: a token that is taken says for whom, any
 * other has a sentence, and no set of keys does harm. */
#include <stdio.h>
#include <stdlib.h>

#include "../lib/jwt_examples.h"
#include "api/jwt.h"
#include "base/str.h"

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void check_token(bp_str token, const struct jwt_keys *keys)
{
    bp_str           audience = BP_STR("https://mcp.example.org/mcp");
    bp_str_list      audiences = { &audience, 1 };
    struct jwt_rules rules = { .issuer = BP_STR("https://login.example.org"),
                               .audiences = &audiences,
                               .now_s = 1900000000 };
    bp_principal     principal = { .struct_size = sizeof(principal) };
    struct arena     arena;
    struct reason    why = { "" };

    arena_init(&arena, 16u << 20);
    if (jwt_check(&arena, token, keys, &rules, &principal, &why) == JWT_GOOD) {
        HOLDS(principal.is_authenticated);
        HOLDS(bp_str_is(principal.id, "alice")); // nobody else has signed anything
        HOLDS(bp_str_is(principal.scopes, "guarded:read"));
    } else {
        HOLDS(why.text[0] && str_is_utf8(bp_str_of(why.text)));
        HOLDS(!principal.is_authenticated && !principal.id.len);
    }
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jwt_keys *known;
    bp_str                  input = bp_str_n((const char *)data, size);
    struct jwt_keys        *keys;
    struct reason           why = { "" };

    if (!known)
        known = jwt_keys_read(bp_str_of(example_keys), &why);
    HOLDS(known && jwt_keys_count(known) == 4);
    check_token(input, known);
    keys = jwt_keys_read(input, &why);
    if (keys)
        HOLDS(jwt_keys_count(keys) > 0);
    else
        HOLDS(why.text[0] && str_is_utf8(bp_str_of(why.text)));
    jwt_keys_free(keys);
    return 0;
}
