/* json_schema_refs.c - where the subschemas of a text are, which URI each has, and what a $ref
 * means.
 *
 * A pass over the text finds all subschemas in places where the dialect puts them, so that $id,
 * $anchor and $dynamicAnchor count there and nowhere else (one within an enum is just data). A JSON
 * pointer may also lead to a place that is none of these; what stands there becomes a subschema
 * when it is referred to.
 */
#include "schema/json_schema_node.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/str.h"

enum { SCRATCH_BYTES_MAX = 64 << 20 };

bool schema_index_fail(struct schema_index *index, bp_str pointer, const char *format, ...)
{
    struct schema_sentence s = { .text = index->problem->text };
    char                   text[400];
    va_list                args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    schema_say(&s, BP_FMT "%s%s", BP_ARG(pointer), pointer.len ? ": " : "", text);
    return false;
}

bp_str schema_pointer_join(struct arena *arena, bp_str pointer, bp_str key)
{
    char  *joined = arena_alloc(arena, pointer.len + 1 + 2 * key.len);
    size_t len = pointer.len;

    if (!joined)
        return (bp_str){ "", 0 };
    if (pointer.len)
        memcpy(joined, pointer.data, pointer.len);
    joined[len++] = '/';
    for (size_t i = 0; i < key.len; i++) {
        char c = key.data[i];

        if (c == '~' || c == '/')
            joined[len++] = '~';
        joined[len++] = c == '~' ? '0' : c == '/' ? '1' : c;
    }
    return (bp_str){ joined, len };
}

/* ---- URIs (RFC 3986 5.2) ---- */

struct uri {
    bp_str scheme, authority, path, query, fragment;
    bool   has_scheme, has_authority, has_query, has_fragment;
};

static bp_str slice(bp_str text, size_t from, size_t to)
{
    return (bp_str){ text.data + from, to - from };
}

static size_t find_any(bp_str text, const char *stops)
{
    size_t at = 0;

    while (at < text.len && !strchr(stops, text.data[at]))
        at++;
    return at;
}

static struct uri split_uri(bp_str text)
{
    struct uri uri = { .path = { "", 0 } };
    size_t     at;

    if (!text.len)
        return uri;
    at = find_any(text, "#");
    if (at < text.len) {
        uri.has_fragment = true;
        uri.fragment = slice(text, at + 1, text.len);
        text.len = at;
    }
    at = find_any(text, "?");
    if (at < text.len) {
        uri.has_query = true;
        uri.query = slice(text, at + 1, text.len);
        text.len = at;
    }
    at = find_any(text, ":/");
    if (at && at < text.len && text.data[at] == ':') {
        uri.has_scheme = true;
        uri.scheme = slice(text, 0, at);
        text = slice(text, at + 1, text.len);
    }
    if (text.len >= 2 && text.data[0] == '/' && text.data[1] == '/') {
        text = slice(text, 2, text.len);
        at = find_any(text, "/");
        uri.has_authority = true;
        uri.authority = slice(text, 0, at);
        text = slice(text, at, text.len);
    }
    uri.path = text;
    return uri;
}

/* "." and ".." segments go (RFC 3986 5.2.4). */
static bp_str remove_dots(struct arena *arena, bp_str path)
{
    char  *out = arena_alloc(arena, path.len + 1);
    size_t len = 0, at = 0;

    if (!out)
        return (bp_str){ "", 0 };
    while (at < path.len) {
        size_t begin = at + (path.data[at] == '/'), end = begin;
        bp_str segment;
        bool   is_last;

        while (end < path.len && path.data[end] != '/')
            end++;
        segment = slice(path, begin, end);
        is_last = end == path.len;
        if (bp_str_is(segment, "..")) {
            while (len && out[--len] != '/')
                continue;
        }
        if (bp_str_is(segment, "..") || bp_str_is(segment, ".")) {
            if (is_last)
                out[len++] = '/';
        } else {
            memcpy(out + len, path.data + at, end - at);
            len += end - at;
        }
        at = end;
    }
    return (bp_str){ out, len };
}

static bp_str merge_paths(struct arena *arena, const struct uri *base, bp_str path)
{
    size_t keep = base->path.len;

    while (keep && base->path.data[keep - 1] != '/')
        keep--;
    if (!keep && base->has_authority)
        return arena_format(arena, "/" BP_FMT, BP_ARG(path));
    return arena_format(arena, "%.*s" BP_FMT, (int)keep, base->path.len ? base->path.data : "",
                        BP_ARG(path));
}

/* `reference` seen from `base`, without its fragment. */
static bp_str resolve_uri(struct arena *arena, bp_str base_text, const struct uri *reference)
{
    struct uri base = split_uri(base_text), out = *reference;

    if (!reference->has_scheme) {
        out.scheme = base.scheme;
        out.has_scheme = base.has_scheme;
        if (!reference->has_authority) {
            out.authority = base.authority;
            out.has_authority = base.has_authority;
            if (!reference->path.len) {
                out.path = base.path;
                if (!reference->has_query) {
                    out.query = base.query;
                    out.has_query = base.has_query;
                }
            } else if (reference->path.data[0] != '/') {
                out.path = merge_paths(arena, &base, reference->path);
            }
        }
    }
    if (out.path.len && out.path.data[0] == '/')
        out.path = remove_dots(arena, out.path);
    return arena_format(arena, BP_FMT "%s%s" BP_FMT BP_FMT "%s" BP_FMT, BP_ARG(out.scheme),
                        out.has_scheme ? ":" : "", out.has_authority ? "//" : "",
                        BP_ARG(out.authority), BP_ARG(out.path), out.has_query ? "?" : "",
                        BP_ARG(out.query));
}

/* ---- the index ---- */

static void *grow(struct schema_index *index, void *items, size_t count, size_t *capacity,
                  size_t item_bytes)
{
    size_t wanted = *capacity ? *capacity * 2 : 8;
    void  *more;

    if (count < *capacity)
        return items;
    more = arena_alloc(&index->scratch, wanted * item_bytes);
    if (!more) {
        schema_index_fail(index, bp_str_of(""), "there is not enough memory to compile it");
        return NULL;
    }
    if (count)
        memcpy(more, items, count * item_bytes);
    *capacity = wanted;
    return more;
}

static size_t slot_of(const struct schema_index *index, const bp_json *value)
{
    size_t at = ((uintptr_t)value >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20;

    at &= index->place_capacity - 1;
    while (index->places[at].value && index->places[at].value != value)
        at = (at + 1) & (index->place_capacity - 1);
    return at;
}

struct schema_place *schema_index_find(const struct schema_index *index, const bp_json *value)
{
    struct schema_place *place;

    if (!index->place_capacity || json_type_of(value) != JSON_KIND_OBJECT)
        return NULL;
    place = &index->places[slot_of(index, value)];
    return place->value ? place : NULL;
}

static bool make_room(struct schema_index *index)
{
    struct schema_place *old = index->places;
    size_t               old_capacity = index->place_capacity;

    if (index->place_count >= JSON_SCHEMA_COUNT_MAX)
        return schema_index_fail(index, bp_str_of(""), "it has more than %d subschemas",
                                 JSON_SCHEMA_COUNT_MAX);
    if (index->place_count * 2 < old_capacity)
        return true;
    index->place_capacity = old_capacity ? old_capacity * 2 : 32;
    index->places = arena_alloc(&index->scratch, index->place_capacity * sizeof(*index->places));
    if (!index->places)
        return schema_index_fail(index, bp_str_of(""), "there is not enough memory to compile it");
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].value)
            index->places[slot_of(index, old[i].value)] = old[i];
    return true;
}

static const struct schema_resource *find_resource(const struct schema_index *index, bp_str uri)
{
    for (size_t i = 0; i < index->resource_count; i++)
        if (bp_str_equal(index->resources[i].uri, uri))
            return &index->resources[i];
    return NULL;
}

static bool add_resource(struct schema_index *index, bp_str uri, const bp_json *root,
                         bp_str pointer, uint32_t *number)
{
    if (find_resource(index, uri))
        return schema_index_fail(index, pointer, "two schemas have the $id \"" BP_FMT "\"",
                                 BP_ARG(uri));
    index->resources = grow(index, index->resources, index->resource_count,
                            &index->resource_capacity, sizeof(*index->resources));
    if (!index->resources)
        return false;
    *number = (uint32_t)index->resource_count;
    index->resources[index->resource_count++] = (struct schema_resource){ uri, root };
    return true;
}

static bool add_anchor(struct schema_index *index, const struct schema_place *place, bp_str name,
                       bool is_dynamic)
{
    for (size_t i = 0; i < index->anchor_count; i++)
        if (index->anchors[i].resource == place->resource &&
            bp_str_equal(index->anchors[i].name, name) && index->anchors[i].value != place->value)
            return schema_index_fail(index, place->pointer,
                                     "two schemas have the anchor \"" BP_FMT "\"", BP_ARG(name));
    index->anchors = grow(index, index->anchors, index->anchor_count, &index->anchor_capacity,
                          sizeof(*index->anchors));
    if (!index->anchors)
        return false;
    index->anchors[index->anchor_count++] = (struct schema_named_place){ name, place->resource,
                                                                         place->value, is_dynamic };
    return true;
}

/* What names the schema gives itself. In draft-07 nothing beside a $ref counts. */
static bool read_names(struct schema_index *index, struct schema_place *place)
{
    const bp_json *id = json_get(place->value, BP_STR("$id"));
    bp_str         anchor = json_as_string(json_get(place->value, BP_STR("$anchor")));
    bp_str         dynamic = json_as_string(json_get(place->value, BP_STR("$dynamicAnchor")));
    struct uri     uri = split_uri(json_as_string(id));

    if (index->dialect == SCHEMA_DRAFT_07 && json_get(place->value, BP_STR("$ref")))
        return true;
    if (id && json_type_of(id) != JSON_KIND_STRING)
        return schema_index_fail(index, place->pointer, "$id must be a string");
    if (id && index->dialect != SCHEMA_DRAFT_07 && uri.fragment.len)
        return schema_index_fail(index, place->pointer,
                                 "$id must not have a fragment; $anchor makes one");
    if (id && (uri.path.len || uri.has_scheme || uri.has_authority) &&
        !add_resource(index,
                      resolve_uri(&index->scratch, index->resources[place->resource].uri, &uri),
                      place->value, place->pointer, &place->resource))
        return false;
    if (index->dialect == SCHEMA_DRAFT_07)
        return !uri.fragment.len || add_anchor(index, place, uri.fragment, false);
    if (anchor.len && !add_anchor(index, place, anchor, false))
        return false;
    return !dynamic.len || index->dialect == SCHEMA_2019_09 ||
           add_anchor(index, place, dynamic, true);
}

static bool add_schema(struct schema_index *index, const bp_json *value, bp_str pointer,
                       uint32_t resource);

static bool add_members(struct schema_index *index, const bp_json *value, bp_str pointer,
                        uint32_t resource)
{
    size_t         cursor = 0;
    bp_str         key;
    const bp_json *member;

    while (json_entry(value, &cursor, &key, &member))
        if (!add_schema(index, member, schema_pointer_join(&index->scratch, pointer, key),
                        resource))
            return false;
    for (size_t i = 0; json_type_of(value) == JSON_KIND_ARRAY && i < json_count(value); i++)
        if (!add_schema(index, json_at(value, i),
                        arena_format(&index->scratch, BP_FMT "/%zu", BP_ARG(pointer), i), resource))
            return false;
    return true;
}

/* `value` and all below it. A value that is not an object needs no place; whether it may stand
 * there is seen later. */
static bool add_schema(struct schema_index *index, const bp_json *value, bp_str pointer,
                       uint32_t resource)
{
    struct schema_place place = { value, NULL, pointer, resource };
    size_t              cursor = 0;
    bp_str              key;
    const bp_json      *member;

    if (json_type_of(value) != JSON_KIND_OBJECT || schema_index_find(index, value))
        return true;
    if (!make_room(index) || !read_names(index, &place))
        return false;
    index->places[slot_of(index, value)] = place;
    index->place_count++;
    while (json_entry(value, &cursor, &key, &member)) {
        enum schema_holds holds = schema_keyword_holds(key);
        bool              is_array = json_type_of(member) == JSON_KIND_ARRAY;
        bp_str            below;

        if (holds == SCHEMA_HOLDS_NONE)
            continue;
        below = schema_pointer_join(&index->scratch, pointer, key);
        if (holds == SCHEMA_HOLDS_ONE || (holds == SCHEMA_HOLDS_ONE_OR_ARRAY && !is_array)) {
            if (!add_schema(index, member, below, place.resource))
                return false;
        } else if ((holds == SCHEMA_HOLDS_MAP) != is_array &&
                   !add_members(index, member, below, place.resource)) {
            return false;
        }
    }
    return true;
}

bool schema_index_build(struct schema_index *index, const bp_json *document, struct reason *why)
{
    uint32_t first = 0;

    *index = (struct schema_index){ .document = document,
                                    .dialect = index->dialect,
                                    .problem = why };
    arena_init(&index->scratch, SCRATCH_BYTES_MAX);
    return add_resource(index, bp_str_of(""), document, bp_str_of(""), &first) &&
           add_schema(index, document, bp_str_of(""), first);
}

void schema_index_free(struct schema_index *index)
{
    arena_free(&index->scratch);
}

/* ---- references ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %41 becomes A, in place of a copy. */
static bp_str decode_percent(struct arena *arena, bp_str text)
{
    char  *out = arena_alloc(arena, text.len);
    size_t len = 0;

    if (!out)
        return (bp_str){ "", 0 };
    for (size_t i = 0; i < text.len; i++) {
        bool is_code = text.data[i] == '%' && i + 2 < text.len &&
                       hex_value(text.data[i + 1]) >= 0 && hex_value(text.data[i + 2]) >= 0;

        out[len++] = is_code
                         ? (char)(hex_value(text.data[i + 1]) * 16 + hex_value(text.data[i + 2]))
                         : text.data[i];
        i += is_code ? 2 : 0;
    }
    return (bp_str){ out, len };
}

static bp_str unescape_token(struct arena *arena, bp_str token)
{
    char  *out = arena_alloc(arena, token.len);
    size_t len = 0;

    if (!out)
        return (bp_str){ "", 0 };
    for (size_t i = 0; i < token.len; i++) {
        char next = i + 1 < token.len ? token.data[i + 1] : ' ';
        bool is_code = token.data[i] == '~' && (next == '0' || next == '1');

        out[len++] = is_code ? (next == '0' ? '~' : '/') : token.data[i];
        i += is_code;
    }
    return (bp_str){ out, len };
}

/* Follows `pointer` ("/a/0") from the root of a resource; what stands there becomes a schema if it
 * was none. */
static const bp_json *follow_pointer(struct schema_index          *index,
                                     const struct schema_resource *resource, bp_str pointer)
{
    const bp_json             *value = resource->root;
    const struct schema_place *place = schema_index_find(index, value);
    bp_str                     path = place ? place->pointer : bp_str_of("");
    uint32_t                   number = place ? place->resource : 0;
    bp_str                     rest = slice(pointer, 1, pointer.len);

    for (bool is_last = false; value && !is_last;) {
        size_t   end = find_any(rest, "/");
        bp_str   token = unescape_token(&index->scratch, slice(rest, 0, end));
        uint64_t at;

        is_last = end == rest.len;
        rest = is_last ? rest : slice(rest, end + 1, rest.len);
        if (json_type_of(value) == JSON_KIND_ARRAY)
            value = str_to_uint(token, &at) ? json_at(value, at) : NULL;
        else
            value = json_get(value, token);
        path = schema_pointer_join(&index->scratch, path, token);
        place = schema_index_find(index, value);
        number = place ? place->resource : number;
    }
    return value && add_schema(index, value, path, number) ? value : NULL;
}

static const bp_json *find_anchor(struct schema_index *index, uint32_t resource, bp_str name,
                                  bp_str *dynamic)
{
    for (size_t i = 0; i < index->anchor_count; i++) {
        const struct schema_named_place *anchor = &index->anchors[i];

        if (anchor->resource != resource || !bp_str_equal(anchor->name, name))
            continue;
        if (anchor->is_dynamic)
            *dynamic = anchor->name;
        return anchor->value;
    }
    return NULL;
}

const bp_json *schema_index_resolve(struct schema_index *index, const struct schema_place *from,
                                    const char *keyword, bp_str reference, bp_str *anchor)
{
    struct uri uri = split_uri(reference);
    bp_str     fragment = decode_percent(&index->scratch, uri.fragment);
    bp_str     whole = resolve_uri(&index->scratch, index->resources[from->resource].uri, &uri);
    const struct schema_resource *resource = find_resource(index, whole);
    bp_str                        pointer = from->pointer;
    const bp_json                *target;

    *anchor = (bp_str){ "", 0 };
    reason_clear(index->problem);
    if (!resource) {
        schema_index_fail(index, pointer,
                          "the %s \"" BP_FMT "\" leads out of this schema, and nothing is fetched: "
                          "put what it means into $defs",
                          keyword, BP_ARG(reference));
        return NULL;
    }
    if (!fragment.len)
        target = resource->root;
    else if (fragment.data[0] == '/')
        target = follow_pointer(index, resource, fragment);
    else
        target = find_anchor(index, (uint32_t)(resource - index->resources), fragment, anchor);
    if (!target && !reason_is_set(index->problem))
        schema_index_fail(index, pointer, "the %s \"" BP_FMT "\" leads to nothing", keyword,
                          BP_ARG(reference));
    return target;
}
