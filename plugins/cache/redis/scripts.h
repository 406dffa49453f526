/* scripts.h - Lua scripts for atomic steps on the server, by the server's own clock.
 *
 * Lua counts in doubles. Times are microseconds since 2026-01-01 in steps of 1/16, which a double
 * holds exactly for 17 years to come; amounts are whole numbers below 2^52. Numbers are written
 * with %.4f or %.0f, as tostring() would round.
 */
#ifndef CACHE_REDIS_SCRIPTS_H
#define CACHE_REDIS_SCRIPTS_H

#define SCRIPT_CLOCK                                                                               \
    "local t = redis.call('TIME')\n"                                                               \
    "local now = (tonumber(t[1]) - 1767225600) * 1000000 + tonumber(t[2])\n"

/* GCRA. KEYS: the limit. ARGV: limit, window in us, cost. Answer: granted, remaining, reset in us.
 */
static const char take_script[] = SCRIPT_CLOCK
    "local limit, window, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])\n"
    "local from = tonumber(redis.call('GET', KEYS[1]) or 0)\n"
    "if from < now then from = now end\n"
    "local full = from + math.floor(cost / limit * window * 16) / 16\n"
    "local granted = cost <= limit and full - now <= window\n"
    "if granted and cost > 0 then\n"
    "  redis.call('SET', KEYS[1], string.format('%.4f', full), 'PX',\n"
    "             string.format('%.0f', math.ceil((full - now) / 1000) + 1))\n"
    "  from = full\n"
    "end\n"
    "local remaining = math.floor((window - (from - now)) / window * limit + 1e-9)\n"
    "if remaining < 0 then remaining = 0 end\n"
    "local reset = full - now - window\n"
    "if granted then reset = from - now elseif cost > limit then reset = window end\n"
    "return { granted and 1 or 0, remaining, math.ceil(reset) }\n";

/* Both scripts of a budget. KEYS[1]: hash of spent, held and each hold; KEYS[2]: when each hold
 * ends. */
#define SCRIPT_HOLDS                                                                               \
    "local function release(name)\n"                                                               \
    "  local amount = redis.call('HGET', KEYS[1], 'h:' .. name)\n"                                 \
    "  if amount then\n"                                                                           \
    "    redis.call('HDEL', KEYS[1], 'h:' .. name)\n"                                              \
    "    redis.call('HINCRBY', KEYS[1], 'held', string.format('%.0f', 0 - tonumber(amount)))\n"    \
    "  end\n"                                                                                      \
    "  redis.call('ZREM', KEYS[2], name)\n"                                                        \
    "end\n"                                                                                        \
    "local function keep(ms)\n"                                                                    \
    "  redis.call('PEXPIRE', KEYS[1], ms)\n"                                                       \
    "  redis.call('PEXPIRE', KEYS[2], ms)\n"                                                       \
    "end\n"

/* ARGV: limit, amount, hold in us, reservation, how long an unused budget is kept in ms. Answer:
 * granted, used, us until the next hold ends (-1: none). */
static const char reserve_script[] = SCRIPT_CLOCK SCRIPT_HOLDS
    "local limit, amount = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
    "local ended = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now))\n"
    "for _, name in ipairs(ended) do release(name) end\n"
    "release(ARGV[4])\n"
    "local sums = redis.call('HMGET', KEYS[1], 'spent', 'held')\n"
    "local used = tonumber(sums[1] or 0) + tonumber(sums[2] or 0)\n"
    "local granted = amount <= limit and used <= limit - amount\n"
    "local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')\n"
    "if granted then\n"
    "  redis.call('HSET', KEYS[1], 'h:' .. ARGV[4], ARGV[2])\n"
    "  redis.call('HINCRBY', KEYS[1], 'held', ARGV[2])\n"
    "  redis.call('ZADD', KEYS[2], string.format('%.0f', now + tonumber(ARGV[3])), ARGV[4])\n"
    "  used = used + amount\n"
    "end\n"
    "keep(ARGV[5])\n"
    "return { granted and 1 or 0, used, first[2] and math.ceil(tonumber(first[2]) - now) or -1 }\n";

/* KEYS[3]: a mark of this very call, so that sending it twice counts once. ARGV: amount,
 * reservation, kept in ms. */
static const char settle_script[] = SCRIPT_HOLDS
    "if not redis.call('SET', KEYS[3], '1', 'PX', '600000', 'NX') then return 0 end\n"
    "release(ARGV[2])\n"
    "if tonumber(redis.call('HGET', KEYS[1], 'spent') or 0) < 4503599627370496 then\n"
    "  redis.call('HINCRBY', KEYS[1], 'spent', ARGV[1])\n"
    "end\n"
    "keep(ARGV[3])\n"
    "return 1\n";

/* ARGV: owner, hold in ms. Answer: 1, or 0 when another owner has it. */
static const char lock_script[] = "local owner = redis.call('GET', KEYS[1])\n"
                                  "if owner and owner ~= ARGV[1] then return 0 end\n"
                                  "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
                                  "return 1\n";

/* ARGV: owner. */
static const char unlock_script[] = "local owner = redis.call('GET', KEYS[1])\n"
                                    "if owner and owner ~= ARGV[1] then return 0 end\n"
                                    "if owner then redis.call('DEL', KEYS[1]) end\n"
                                    "return 1\n";

#endif
