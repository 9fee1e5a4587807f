-- KEYS: one hash per provider. ARGV[1] = ask | record, then per key: good, bad, misconfigured, jitter.
-- Hash: slot (15 s number), good, bad, good0, bad0 (the slot before), open_until (ms), opened (times in a row).
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local SLOT, ENOUGH, SHARE, FIRST, LONGEST, PROBE = 15000, 5, 0.5, 5000, 60000, 10000
local answers = {}
for i, key in ipairs(KEYS) do
  local h = redis.call('HMGET', key, 'slot', 'good', 'bad', 'good0', 'bad0', 'open_until', 'opened')
  local open_until, opened = tonumber(h[6]) or 0, tonumber(h[7]) or 0
  if ARGV[1] == 'ask' then
    if opened == 0 then
      answers[i] = 'up'
    elseif now < open_until then
      answers[i] = 'down'
    elseif redis.call('SET', key .. ':probe', '1', 'PX', PROBE, 'NX') then
      answers[i] = 'probe'
    else
      answers[i] = 'down'
    end
  else
    local at = 1 + (i - 1) * 4
    local good, bad = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    local broken, jitter = ARGV[at + 3] == '1', tonumber(ARGV[at + 4])
    local slot = math.floor(now / SLOT)
    local g, b, g0, b0 = tonumber(h[2]) or 0, tonumber(h[3]) or 0, tonumber(h[4]) or 0, tonumber(h[5]) or 0
    local last = tonumber(h[1]) or 0
    if last == slot - 1 then
      g0, b0, g, b = g, b, 0, 0
    elseif last ~= slot then
      g0, b0, g, b = 0, 0, 0, 0
    end
    g, b = g + good, b + bad
    local bads, all = b + b0, g + g0 + b + b0
    if opened > 0 and good > 0 and not broken then
      opened, open_until, g, b, g0, b0 = 0, 0, good, 0, 0, 0
      redis.call('DEL', key .. ':probe')
    elseif opened > 0 and now >= open_until and bad > 0 then
      opened = opened + 1
      open_until = now + math.min(LONGEST, FIRST * 2 ^ (opened - 1)) * jitter
      redis.call('DEL', key .. ':probe')
    elseif opened == 0 and (broken or (bads >= ENOUGH and bads >= all * SHARE)) then
      opened = 1
      open_until = now + (broken and LONGEST or FIRST) * jitter
    end
    redis.call('HSET', key, 'slot', slot, 'good', g, 'bad', b, 'good0', g0, 'bad0', b0,
      'open_until', open_until, 'opened', opened)
    redis.call('PEXPIRE', key, 600000)
    answers[i] = opened > 0 and 'down' or 'up'
  end
end
return answers
