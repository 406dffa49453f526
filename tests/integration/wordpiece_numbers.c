/* wordpiece_numbers.c - prints the numbers of texts, for wordpiece_reference.py to compare.
 *
 *      wordpiece_numbers VOCABULARY MAX RULES < texts      RULES: letters of c (keeps control), j, a (accents), C (case)
 *
 * The vocabulary has one piece a line; "[CLS]", "[SEP]", "[UNK]", "[PAD]" and "[MASK]" are
 * specials. Each text is its length in bytes, a line end, the bytes. Each answer is one line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wordpiece/wordpiece.h"

static struct wordpiece *read_vocabulary(const char *path, const char *rules)
{
    struct wordpiece_rules set = { .keeps_control = strchr(rules, 'c'),
                                   .joins_cjk = strchr(rules, 'j'),
                                   .keeps_accents = strchr(rules, 'a'),
                                   .keeps_case = strchr(rules, 'C') };
    struct wordpiece      *pieces = wordpiece_new(&set);
    FILE                  *file = fopen(path, "r");
    char                   line[2048];

    for (int32_t number = 0; file && fgets(line, sizeof(line), file); number++) {
        size_t len = strcspn(line, "\n");
        wordpiece_add(pieces, line, len, number);
        if (len > 2 && line[0] == '[' && line[len - 1] == ']' && number < 999 &&
            !strstr(line, "unused"))
            wordpiece_add_special(pieces, line, len, number);
    }
    if (!file || wordpiece_finish(pieces)) {
        fprintf(stderr, "%s is no vocabulary\n", path);
        exit(1);
    }
    fclose(file);
    return pieces;
}

int main(int argc, char **argv)
{
    struct wordpiece *pieces;
    int32_t          *numbers;
    size_t            max, len;
    char             *text = NULL;

    if (argc != 4)
        return 2;
    pieces = read_vocabulary(argv[1], argv[3]);
    max = strtoul(argv[2], NULL, 10);
    numbers = calloc(max, sizeof(*numbers));
    while (scanf("%zu", &len) == 1 && getchar() == '\n') {
        size_t count;

        text = realloc(text, len + 1);
        if (!text || fread(text, 1, len, stdin) != len)
            return 1;
        count = wordpiece_encode(pieces, text, len, numbers, max);
        for (size_t i = 0; i < count; i++)
            printf(i ? " %d" : "%d", numbers[i]);
        printf("\n");
    }
    free(text);
    free(numbers);
    wordpiece_free(pieces);
    return 0;
}
