/* peek.h - what a text that cannot be read is about: the ids of the messages in it, so that they
 * can be answered.
 *
 *      bytes -> depth, strings -> members of the outermost objects -> "id", and whether it asks or answers
 *
 * It is fed in pieces and keeps nothing of them but one short member, so that a line of any length
 * can be looked at while it goes by. Official clients put the id at the very end.
 */
#ifndef CORE_MCP_PEEK_H
#define CORE_MCP_PEEK_H

#include <backplane/base.h>

enum { PEEK_MEMBER_BYTES = 256, PEEK_MESSAGES_MAX = 64 };

enum peeked_kind {
    PEEKED_NOTHING,
    PEEKED_REQUEST, /* a method and an id: somebody waits for the answer */
    PEEKED_ANSWER   /* an id and no method: of a question of ours */
};

struct peeked {
    enum peeked_kind kind;
    size_t           id_len;
    char             id[PEEK_MEMBER_BYTES]; /* JSON as it stood there: 7, "seven" */
};

struct peek {
    struct peeked found[PEEK_MESSAGES_MAX];
    size_t        count;
    bool          is_batch; /* the text is an array */

    /* Of the text so far. */
    size_t depth, base;
    bool   is_in_string, is_escaped, is_key_over, has_begun;
    char   key[16], member[PEEK_MEMBER_BYTES];
    size_t key_len, member_len;
    /* Of the message so far. */
    struct peeked message;
    bool          has_id, has_method, has_answer;
};

void peek_init(struct peek *peek);
void peek_feed(struct peek *peek, bp_str bytes);
/* The text is over: the part of the message that was whole counts. */
void peek_end(struct peek *peek);

#endif
