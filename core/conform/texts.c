/* texts.c - texts that trip programs, which contracts write and read back. */
#include <stdio.h>

#include "base/json.h"
#include "conform/parts.h"

/* Texts that trip programs: quotes, controls, directions, combining marks, surrogates' neighbours,
 * other scripts' digits, format strings, paths, markup. More by --strings. */
static const char *const awkward[] = {
    "",
    " ",
    "\t\n",
    "'",
    "\"",
    "'; DROP TABLE users; --",
    "\\",
    "%s%n%d",
    "${HOME}",
    "$1",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "null",
    "NaN",
    "true",
    "0x7f",
    "1e400",
    "\x01\x02\x7f",
    "\xc2\x80",
    "\xef\xbb\xbf"
    "bom",
    "\xe2\x80\xae"
    "rtl",
    "e\xcc\x81",
    "\xc3\xa9",
    "\xef\xbf\xbd",
    "\xed\x9f\xbf",
    "\xee\x80\x80",
    "\xf4\x8f\xbf\xbf",
    "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb",
    "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
    "\xd8\xa7\xd9\x84\xd8\xb9\xd8\xb1\xd8\xa8\xd9\x8a\xd8\xa9",
    "\xd9\xa1\xd9\xa2\xd9\xa3",
    "\xc4\xb0stanbul",
    "\xc5\xbf",
    "\xe2\x84\xaa",
    "a\r\nb",
    "{\"a\":1}",
    "[]",
    "@*-|&!(){}:~",
    "\xe2\x80\x8b",
};

bool contract_read_texts(struct contract_runner *run, const char *path)
{
    struct reason  why = { "it cannot be read" };
    const bp_json *list = NULL;
    struct bp_buf  text;
    FILE          *file = path ? fopen(path, "rb") : NULL;
    char           piece[65536];
    size_t         got;

    for (size_t i = 0; i < sizeof(awkward) / sizeof(awkward[0]); i++)
        run->texts[run->conform.string_count++] = bp_str_of(awkward[i]);
    run->conform.strings = run->texts;
    if (!path)
        return true;
    buf_init(&text, &run->arena, 16u << 20);
    while (file && (got = fread(piece, 1, sizeof(piece), file)) > 0)
        buf_add(&text, bp_str_n(piece, got));
    if (file)
        fclose(file);
    if (!file || json_parse(&run->arena, buf_str(&text), &list, &why) != BP_OK ||
        json_type_of(list) != JSON_KIND_ARRAY) {
        contract_say(run->wish, "%s is not a JSON array of strings: %s", path, why.text);
        return false;
    }
    for (size_t i = 0; i < json_count(list) && run->conform.string_count < CONTRACT_TEXTS_MAX; i++)
        if (json_type_of(json_at(list, i)) == JSON_KIND_STRING)
            run->texts[run->conform.string_count++] = json_as_string(json_at(list, i));
    return true;
}
