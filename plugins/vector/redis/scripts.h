/* scripts.h - Lua scripts for atomic changes. KEYS[1] is the collection; ARGV[1] its
 * epoch: when that has changed, the collection was dropped, and nothing is done (-1). */
#ifndef VECTOR_REDIS_SCRIPTS_H
#define VECTOR_REDIS_SCRIPTS_H

/* ARGV: epoch, then field, value, ... Answer: 0 when there is another one already. Sent twice, it
 * finds its own. */
static const char create_script[] = "local epoch = redis.call('HGET', KEYS[1], 'epoch')\n"
                                    "if epoch then return epoch == ARGV[1] and 1 or 0 end\n"
                                    "redis.call('HSET', KEYS[1], 'epoch', unpack(ARGV))\n"
                                    "return 1\n";

#define SCRIPT_POINTS                                                                              \
    "if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return -1 end\n"                      \
    "local base = KEYS[1] .. ARGV[1] .. ':'\n"                                                     \
    "local points, tokens = 0, 0\n"                                                                \
    "local function forget(id)\n"                                                                  \
    "  local key = base .. 'p:' .. id\n"                                                           \
    "  local old = redis.call('HMGET', key, 'l', 't')\n"                                           \
    "  if not old[1] then return false end\n"                                                      \
    "  local terms = cmsgpack.unpack(old[2])\n"                                                    \
    "  for i = 1, #terms, 2 do redis.call('HDEL', base .. 't:' .. terms[i], id) end\n"             \
    "  redis.call('DEL', key)\n"                                                                   \
    "  points = points - 1\n"                                                                      \
    "  tokens = tokens - tonumber(old[1])\n"                                                       \
    "  return true\n"                                                                              \
    "end\n"                                                                                        \
    "local function finish()\n"                                                                    \
    "  redis.call('HINCRBY', KEYS[1], 'points', points)\n"                                         \
    "  redis.call('HINCRBY', KEYS[1], 'tokens', tokens)\n"                                         \
    "end\n"

/* ARGV: epoch, then for each point: id, vector (empty: none), words, metadata, tokens, terms, tags
 * (empty: none). All fields at once, as RediSearch looks at the point again after each command. */
static const char upsert_script[] = SCRIPT_POINTS
    "for at = 2, #ARGV, 7 do\n"
    "  local id, vector, length = ARGV[at], ARGV[at + 1], ARGV[at + 4]\n"
    "  local key = base .. 'p:' .. id\n"
    "  if not forget(id) and redis.call('ZADD', base .. 'ids', 0, id) == 0 then\n"
    "    points = points - 1\n" /* the server evicted it, but it was counted */
    "  end\n"
    "  local fields = { 'w', ARGV[at + 2], 'm', ARGV[at + 3], 'l', length, 't', ARGV[at + 5] }\n"
    "  if #vector > 0 then fields[#fields + 1] = 'v'; fields[#fields + 1] = vector end\n"
    "  if #ARGV[at + 6] > 0 then fields[#fields + 1] = 'f'; fields[#fields + 1] = ARGV[at + 6] "
    "end\n"
    "  redis.call('HSET', key, unpack(fields))\n"
    "  local terms = cmsgpack.unpack(ARGV[at + 5])\n"
    "  for i = 1, #terms, 2 do\n"
    "    redis.call('HSET', base .. 't:' .. terms[i], id, string.format('%.0f %s', terms[i + 1], "
    "length))\n"
    "  end\n"
    "  points = points + 1\n"
    "  tokens = tokens + tonumber(length)\n"
    "end\n"
    "finish()\n"
    "return 1\n";

/* ARGV: epoch, then id and the metadata it was chosen by (empty: whatever it is now), ... Answer:
 * how many. */
static const char remove_script[] = SCRIPT_POINTS
    "local removed = 0\n"
    "for at = 2, #ARGV, 2 do\n"
    "  local id, seen = ARGV[at], ARGV[at + 1]\n"
    "  if seen == '' or redis.call('HGET', base .. 'p:' .. id, 'm') == seen then\n"
    "    if forget(id) then\n"
    "      redis.call('ZREM', base .. 'ids', id)\n"
    "      removed = removed + 1\n"
    "    end\n"
    "  end\n"
    "end\n"
    "finish()\n"
    "return removed\n";

static const char drop_script[] = "if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return "
                                  "-1 end\n"
                                  "redis.call('DEL', KEYS[1])\n"
                                  "redis.call('SADD', KEYS[1] .. 'dropped', ARGV[1])\n"
                                  "return 1\n";

/* Clears away the rest of a dropped one, a thousand points at a time. Answer: 1 when there is
 * more. */
static const char clear_script[] = "local base = KEYS[1] .. ARGV[1] .. ':'\n"
                                   "local ids = redis.call('ZRANGE', base .. 'ids', 0, 999)\n"
                                   "for _, id in ipairs(ids) do\n"
                                   "  local terms = redis.call('HGET', base .. 'p:' .. id, 't')\n"
                                   "  if terms then\n"
                                   "    terms = cmsgpack.unpack(terms)\n"
                                   "    for i = 1, #terms, 2 do redis.call('UNLINK', base .. 't:' "
                                   ".. terms[i]) end\n"
                                   "  end\n"
                                   "  redis.call('UNLINK', base .. 'p:' .. id)\n"
                                   "  redis.call('ZREM', base .. 'ids', id)\n"
                                   "end\n"
                                   "if #ids > 0 then return 1 end\n"
                                   "redis.call('SREM', KEYS[1] .. 'dropped', ARGV[1])\n"
                                   "return 0\n";

#endif
