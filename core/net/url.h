/* url.h - takes the path and the query of a request apart: checks, decodes, normalises.
 *
 * The normal form of a path has no dot segments, no double slashes and no escapes but "%2F" and
 * "%25": an encoded slash never becomes a separator, and decoding twice is never needed.
 * "/a%2Fb/%7Ejo/./x" becomes "/a%2Fb/~jo/x"; url_decode_segment() then turns the segment "a%2Fb"
 * into "a/b".
 */
#ifndef NET_URL_H
#define NET_URL_H

#include <backplane/base.h>

/* NULL when `path` (undecoded, of a request target, beginning with '/') may stand; otherwise a
 * sentence. `is_plain` tells that it is in normal form already. */
const char *url_path_fault(bp_str path, bool *is_plain);

/* NULL when `query` (undecoded, without '?') may stand; otherwise a sentence. */
const char *url_query_fault(bp_str query);

/* Writes the normal form of a path that url_path_fault() found good; `out` has room for path.len +
 * 1 bytes. Returns its length. */
size_t url_path_normalise(bp_str path, char *out);

/* Decodes every escape of one segment; `out` has room for segment.len bytes. Returns the length.
 * Escapes that are not well-formed stay as they are. */
size_t url_decode_segment(bp_str segment, char *out);

/* Takes the next "name=value" off `rest`, both undecoded; false at the end. Empty pairs are
 * skipped. */
bool url_query_next(bp_str *rest, bp_str *name, bp_str *value);

/* Decodes a name or a value of a query ('+' is a blank); `out` has room for raw.len bytes. */
size_t url_query_decode(bp_str raw, char *out);

/* Tells whether the undecoded name means `name`. */
bool url_query_name_is(bp_str raw_name, bp_str name);

/* NULL when `host` is a name, an IPv4 address or an IPv6 address in brackets, with or without a
 * port; otherwise a sentence. */
const char *url_authority_fault(bp_str host);

#endif
