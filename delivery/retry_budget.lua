-- KEYS: one hash per provider. ARGV: share, floor, then per key: first tries, wanted retries. Answers: granted retries.
-- Hash: slot (30 s number), firsts, retries, firsts0, retries0 (the slot before).
local SLOT = 30
local slot = math.floor(tonumber(redis.call('TIME')[1]) / SLOT)
local share, floor = tonumber(ARGV[1]), tonumber(ARGV[2])
local answers = {}
for i, key in ipairs(KEYS) do
  local h = redis.call('HMGET', key, 'slot', 'firsts', 'retries', 'firsts0', 'retries0')
  local f, r, f0, r0 = tonumber(h[2]) or 0, tonumber(h[3]) or 0, tonumber(h[4]) or 0, tonumber(h[5]) or 0
  local last = tonumber(h[1]) or 0
  if last == slot - 1 then
    f0, r0, f, r = f, r, 0, 0
  elseif last ~= slot then
    f0, r0, f, r = 0, 0, 0, 0
  end
  f = f + tonumber(ARGV[1 + 2 * i])
  local room = math.floor(share * (f + f0) + floor) - r - r0
  local granted = math.max(0, math.min(tonumber(ARGV[2 + 2 * i]), room))
  redis.call('HSET', key, 'slot', slot, 'firsts', f, 'retries', r + granted, 'firsts0', f0, 'retries0', r0)
  redis.call('PEXPIRE', key, 120000)
  answers[i] = granted
end
return answers
