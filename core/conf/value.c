/* value.c - reads numbers, sizes, durations and choices. URLs and addresses are in value_net.c. */
#include "conf/value.h"

#include <stdio.h>

#include "base/str.h"

struct unit {
    const char *name;
    int64_t     factor;
};

static const struct unit size_units[] = {
    { "B", 1 },
    { "KiB", INT64_C(1) << 10 },
    { "MiB", INT64_C(1) << 20 },
    { "GiB", INT64_C(1) << 30 },
    { "TiB", INT64_C(1) << 40 },
    { "Ki", INT64_C(1) << 10 },
    { "Mi", INT64_C(1) << 20 },
    { "Gi", INT64_C(1) << 30 },
    { "Ti", INT64_C(1) << 40 },
    { "KB", 1000 },
    { "MB", 1000000 },
    { "GB", 1000000000 },
    { "TB", INT64_C(1000000000000) },
};

static const struct unit duration_units[] = {
    { "ns", 1 },
    { "us", 1000 },
    { "ms", 1000000 },
    { "s", 1000000000 },
    { "m", 60 * INT64_C(1000000000) },
    { "h", 3600 * INT64_C(1000000000) },
    { "d", 86400 * INT64_C(1000000000) },
};

enum {
    SIZE_UNIT_COUNT = sizeof(size_units) / sizeof(size_units[0]),
    DURATION_UNIT_COUNT = sizeof(duration_units) / sizeof(duration_units[0])
};

bp_str choice_next(bp_str choices, bp_str *rest)
{
    return str_split(choices, '|', rest);
}

const char *value_bool(bp_str text, bool *value)
{
    static const char *const words[2][3] = { { "false", "no", "off" }, { "true", "yes", "on" } };

    for (unsigned truth = 0; truth < 2; truth++)
        for (unsigned i = 0; i < 3; i++)
            if (str_equal_ignore_case(text, bp_str_of(words[truth][i]))) {
                *value = truth == 1;
                return NULL;
            }
    return "is neither true nor false (write true, yes, on, false, no or off)";
}

const char *value_int(bp_str text, int64_t *value)
{
    bp_str digits = text;

    if (str_to_int(text, value))
        return NULL;
    if (digits.len && (*digits.data == '-' || *digits.data == '+'))
        digits = bp_str_n(digits.data + 1, digits.len - 1);
    for (size_t i = 0; i < digits.len; i++)
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return "is not a whole number";
    return digits.len ? "does not fit into 64 bits" : "is not a whole number";
}

const char *value_float(bp_str text, double *value)
{
    return str_to_double(text, value) ? NULL : "is not a number";
}

/* A decimal number at the start of *text, times `factor` once the unit behind it is known. */
struct decimal {
    uint64_t whole;
    uint64_t fraction; /* in units of 1e-9 */
    bool     is_number;
    bool     is_too_large;
};

static struct decimal take_decimal(bp_str *text)
{
    struct decimal number = { 0 };
    size_t         at = 0;

    for (; at < text->len && text->data[at] >= '0' && text->data[at] <= '9'; at++) {
        uint64_t digit = (uint64_t)(text->data[at] - '0');

        number.is_number = true;
        if (number.whole > ((uint64_t)INT64_MAX - digit) / 10)
            number.is_too_large = true;
        else
            number.whole = number.whole * 10 + digit;
    }
    if (number.is_number && at + 1 < text->len && text->data[at] == '.' &&
        text->data[at + 1] >= '0' && text->data[at + 1] <= '9') {
        uint64_t place = 100000000;

        for (at++; at < text->len && text->data[at] >= '0' && text->data[at] <= '9';
             at++, place /= 10)
            number.fraction += place * (uint64_t)(text->data[at] - '0');
    }
    *text = bp_str_n(text->data + at, text->len - at);
    return number;
}

static bp_str take_unit(bp_str *text)
{
    size_t len = 0;

    while (len < text->len && ((text->data[len] >= 'a' && text->data[len] <= 'z') ||
                               (text->data[len] >= 'A' && text->data[len] <= 'Z')))
        len++;
    bp_str unit = { text->data, len };
    *text = bp_str_n(text->data + len, text->len - len);
    return unit;
}

static const struct unit *find_unit(const struct unit *units, size_t count, bp_str name,
                                    bool ignores_case)
{
    for (size_t i = 0; i < count; i++)
        if (ignores_case ? str_equal_ignore_case(name, bp_str_of(units[i].name))
                         : bp_str_is(name, units[i].name))
            return &units[i];
    return NULL;
}

/* Adds to *total; false when it does not fit. */
static bool add_scaled(int64_t *total, struct decimal number, int64_t factor)
{
    int64_t part, fraction;

    if (number.is_too_large || __builtin_mul_overflow((int64_t)number.whole, factor, &part))
        return false;
    fraction = (int64_t)(((long double)number.fraction * (long double)factor) / 1e9L);
    return !__builtin_add_overflow(part, fraction, &part) &&
           !__builtin_add_overflow(*total, part, total);
}

static void hint_number(struct value_hint *hint, bp_str text, bp_str rest, const char *unit)
{
    snprintf(hint->text, sizeof(hint->text), "%.*s%s",
             (int)(text.len - rest.len > 40 ? 40 : text.len - rest.len), text.data, unit);
}

const char *value_size(bp_str text, int64_t *bytes, struct value_hint *hint)
{
    static const char *const wrong = "is not a size (write bytes, or a number and a unit: 4096, "
                                     "10KB, 64MiB)";
    bp_str                   rest = text, behind;
    struct decimal           number = take_decimal(&rest);
    const struct unit       *unit = &size_units[0];
    int64_t                  total = 0;

    if (!number.is_number)
        return wrong;
    behind = rest;
    rest = str_trim(rest);
    if (rest.len) {
        bp_str name = take_unit(&rest);

        unit = rest.len ? NULL : find_unit(size_units, SIZE_UNIT_COUNT, name, false);
        if (!unit) {
            const char *meant = NULL;

            if (find_unit(size_units, SIZE_UNIT_COUNT, name, true) && rest.len == 0)
                meant = find_unit(size_units, SIZE_UNIT_COUNT, name, true)->name;
            else if (name.len == 1 && rest.len == 0)
                meant = strchr("kK", *name.data)   ? "KiB"
                        : strchr("mM", *name.data) ? "MiB"
                        : strchr("gG", *name.data) ? "GiB"
                        : strchr("tT", *name.data) ? "TiB"
                                                   : NULL;
            if (meant)
                hint_number(hint, text, behind, meant);
            return wrong;
        }
    }
    if (!add_scaled(&total, number, unit->factor))
        return "is too large";
    *bytes = total;
    return NULL;
}

/* The words people write for units that have a short name here. */
static const char *meant_duration_unit(bp_str name)
{
    static const struct {
        const char *written, *meant;
    } words[] = {
        { "sec", "s" },  { "secs", "s" },  { "second", "s" },  { "seconds", "s" },
        { "min", "m" },  { "mins", "m" },  { "minute", "m" },  { "minutes", "m" },
        { "hr", "h" },   { "hour", "h" },  { "hours", "h" },   { "day", "d" },
        { "days", "d" }, { "msec", "ms" }, { "millis", "ms" }, { "milliseconds", "ms" },
    };
    const struct unit *unit = find_unit(duration_units, DURATION_UNIT_COUNT, name, true);

    if (unit)
        return unit->name;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_equal_ignore_case(name, bp_str_of(words[i].written)))
            return words[i].meant;
    return NULL;
}

const char *value_duration(bp_str text, int64_t *ns, struct value_hint *hint)
{
    static const char *const wrong = "is not a duration (write a number and a unit: 250ms, 2s, 5m, "
                                     "1h, 7d)";
    bp_str                   rest = text;
    int64_t                  total = 0;

    if (bp_str_is(text, "0")) {
        *ns = 0;
        return NULL;
    }
    if (text.len == 0)
        return wrong;
    while (rest.len) {
        struct decimal     number = take_decimal(&rest);
        bp_str             behind = rest, name;
        const struct unit *unit;

        if (!number.is_number)
            return wrong;
        rest = str_trim(rest);
        name = take_unit(&rest);
        unit = find_unit(duration_units, DURATION_UNIT_COUNT, name, false);
        if (!unit) {
            const char *meant = name.len ? meant_duration_unit(name) : "s";

            if (meant && rest.len == 0)
                hint_number(hint, text, behind, meant);
            return name.len ? wrong : "has no unit (write 250ms, 2s, 5m, 1h, 7d)";
        }
        if (!add_scaled(&total, number, unit->factor))
            return "is too large";
    }
    *ns = total;
    return NULL;
}

const char *value_enum(bp_str text, const char *choices, int32_t *index, struct value_hint *hint)
{
    bp_str  rest = bp_str_of(choices);
    int32_t place = 0;

    while (rest.len) {
        bp_str choice = choice_next(rest, &rest);

        if (str_equal_ignore_case(text, choice)) {
            *index = place;
            return NULL;
        }
        if (!hint->text[0] && str_is_near(text, choice))
            snprintf(hint->text, sizeof(hint->text), BP_FMT, BP_ARG(choice));
        place++;
    }
    return "is not one of";
}
