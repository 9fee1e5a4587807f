-- The running totals of one UTC day: four hashes (messages; USD millionths by type, channel, user), `whole`, `journal`.
-- `whole` is the PostgreSQL snapshot that the totals were last rebuilt from: a transaction that it could see is in them.
-- While a rebuild is under way `journal` lists what is counted meanwhile, behind the rebuild's token.
-- ARGV: 'count', ttl, xid, [[hash, field, amount] …]   or   'replace', ttl, snapshot, token   (KEYS 7 to 10: new hashes)
local WHOLE, JOURNAL = KEYS[5], KEYS[6]
local mode, ttl = ARGV[1], tonumber(ARGV[2])

local function saw(snapshot, xid)
  local xmin, xmax, running = string.match(snapshot, '^(%d+):(%d+):(.*)$')
  if xid < tonumber(xmin) then return true end
  if xid >= tonumber(xmax) then return false end
  for each in string.gmatch(running, '%d+') do
    if tonumber(each) == xid then return false end
  end
  return true
end

local function add(sums)
  for _, sum in ipairs(sums) do
    redis.call('HINCRBY', KEYS[sum[1]], sum[2], sum[3])
  end
end

if mode == 'count' then
  local xid = tonumber(ARGV[3])
  local whole = redis.call('GET', WHOLE)
  if redis.call('EXISTS', JOURNAL) == 1 then
    redis.call('RPUSH', JOURNAL, cjson.encode({xid, ARGV[4]}))
  end
  if whole and saw(whole, xid) then return 0 end
  add(cjson.decode(ARGV[4]))
else
  local snapshot = ARGV[3]
  local journal = redis.call('LRANGE', JOURNAL, 0, -1)
  if journal[1] ~= ARGV[4] then return 0 end
  for i = 1, 4 do
    redis.call('DEL', KEYS[i])
    if redis.call('EXISTS', KEYS[6 + i]) == 1 then redis.call('RENAME', KEYS[6 + i], KEYS[i]) end
  end
  for i = 2, #journal do
    local entry = cjson.decode(journal[i])
    if not saw(snapshot, entry[1]) then add(cjson.decode(entry[2])) end
  end
  redis.call('DEL', JOURNAL)
  redis.call('SET', WHOLE, snapshot)
end
for i = 1, 5 do redis.call('EXPIRE', KEYS[i], ttl) end
return 1
