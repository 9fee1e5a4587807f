-- Spends or reserves tokens for a batch, by one clock (Redis TIME), in one atomic step.
--
-- Per bucket: `grants`, a list of the instants (µs) of the last `limit` tokens spent: the exact sliding window;
-- `book`, a sorted set of reservations (member class:cost:holder, score the reserved instant);
-- `line`, a hash with, per class ("u" urgent, "n" normal), the tokens owed to reservations and the line's end
-- (GCRA's theoretical arrival time), from which the next one that must wait gets its own instant.
--
-- KEYS: grants, book, line of each bucket. ARGV[1]: now in µs, or "" for Redis TIME. ARGV[2]: JSON of
-- {buckets = {{limit, reserve, window µs}}, requests = {{holder, class, before µs from now, {{bucket, cost}}}}}.
-- Answers one number per request: 0 spent, > 0 wait in µs (reserved), -1 no token before its deadline.

local GRACE = 60000000  -- a reservation that nobody claims for this long is given up
local PRUNED_AT_ONCE = 1000

local asked = cjson.decode(ARGV[2])
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local function whole(number) return string.format('%.0f', number) end

local function opened(index, bucket)
  local b = {
    limit = bucket[1], window = bucket[3], room = {u = bucket[1], n = math.max(1, bucket[1] - bucket[2])},
    grants = KEYS[3 * index - 2], book = KEYS[3 * index - 1], lineKey = KEYS[3 * index],
  }
  local line = redis.call('HMGET', b.lineKey, 'owed:u', 'owed:n', 'end:u', 'end:n')
  b.owed = {u = tonumber(line[1]) or 0, n = tonumber(line[2]) or 0}
  b.finish = {u = tonumber(line[3]) or 0, n = tonumber(line[4]) or 0}
  local lapsed = redis.call('ZRANGEBYSCORE', b.book, '-inf', whole(now - GRACE), 'LIMIT', 0, PRUNED_AT_ONCE)
  for _, member in ipairs(lapsed) do
    local class, cost = string.match(member, '^(%a):(%d+):')
    b.owed[class] = b.owed[class] - cost
    redis.call('ZREM', b.book, member)
  end
  b.awaited = redis.call('EXISTS', b.book) == 1
  if not b.awaited then b.owed = {u = 0, n = 0} end
  return b
end

-- The instant at which `cost` more tokens fit the window, when `ahead` tokens are to be spent before; with more ahead
-- than there is room, the whole window must be over (and the line's own pace is the tighter bound).
local function fits_at(b, class, ahead, cost)
  local back = math.max(1, b.room[class] - ahead - cost + 1)
  local grant = redis.call('LINDEX', b.grants, -back)
  return grant and math.max(now, tonumber(grant) + b.window) or now
end

-- One token's share of the window, with a sixtieth of slack for relays that come up to a second late.
local function pace(b, class) return b.window * 61 / 60 / b.room[class] end

local function earliest(b, token)
  local slot = b.awaited and redis.call('ZSCORE', b.book, token.member)
  token.held = slot and true or false
  if slot then
    slot = tonumber(slot)
    if slot > now then return slot end
    local open = fits_at(b, token.class, 0, token.cost)
    if open <= now then return now end
    local rank = redis.call('ZRANK', b.book, token.member)
    return math.max(fits_at(b, token.class, rank, token.cost), open + rank * pace(b, token.class))
  end
  local ahead = b.owed.u
  if token.class == 'n' then ahead = ahead + b.owed.n end
  local open = fits_at(b, token.class, ahead, token.cost)
  if ahead == 0 then return open end
  return math.max(open, b.finish[token.class])
end

local function leave_book(b, token)
  if token.held then
    redis.call('ZREM', b.book, token.member)
    b.owed[token.class] = b.owed[token.class] - token.cost
    b.dirty = true
  end
end

local function spend(b, token)
  leave_book(b, token)
  for _ = 1, token.weight do redis.call('RPUSH', b.grants, whole(now)) end
  b.spent = true
end

local function reserve(b, token, slot)
  redis.call('ZADD', b.book, whole(slot), token.member)
  b.awaited = true
  if not token.held then b.owed[token.class] = b.owed[token.class] + token.cost end
  b.finish[token.class] = math.max(b.finish[token.class], slot + token.cost * pace(b, token.class))
  b.dirty = true
end

local buckets = {}
for index, bucket in ipairs(asked.buckets) do buckets[index] = opened(index, bucket) end

local answers = {}
for position, request in ipairs(asked.requests) do
  local slot, tokens = now, {}
  for number, pair in ipairs(request[4]) do
    local b = buckets[pair[1]]
    local token = {b = b, class = request[2], cost = math.min(pair[2], b.room[request[2]])}
    token.weight = math.min(pair[2], b.limit)  -- what is too long for its room still counts whole against the others
    token.member = token.class .. ':' .. token.cost .. ':' .. request[1]
    slot = math.max(slot, earliest(b, token))
    tokens[number] = token
  end
  if slot <= now then
    for _, token in ipairs(tokens) do spend(token.b, token) end
    answers[position] = 0
  elseif slot >= now + request[3] then
    for _, token in ipairs(tokens) do leave_book(token.b, token) end
    answers[position] = -1
  else
    for _, token in ipairs(tokens) do reserve(token.b, token, slot) end
    answers[position] = math.ceil(slot - now)
  end
end

for _, b in ipairs(buckets) do
  if b.spent then
    redis.call('LTRIM', b.grants, -b.limit, -1)
    redis.call('PEXPIRE', b.grants, whole(math.ceil(b.window / 1000) + 1000))
  end
  if b.dirty then
    redis.call('HSET', b.lineKey, 'owed:u', whole(b.owed.u), 'owed:n', whole(b.owed.n),
               'end:u', whole(b.finish.u), 'end:n', whole(b.finish.n))
    local last = math.max(b.finish.u, b.finish.n, now) - now + GRACE + b.window
    redis.call('PEXPIRE', b.lineKey, whole(math.ceil(last / 1000)))
    redis.call('PEXPIRE', b.book, whole(math.ceil(last / 1000)))
  end
end

return answers
