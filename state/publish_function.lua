#!lua name=atcd
-- One signal into Redis: stream, latest, group stream and push, all or nothing. Everything that can fail is
-- tried before the first write, since Redis does not roll back.
--
-- FCALL atc_publish_2 3 <stream> <last> <all>
--   <close_ms> <prev> <replaces> <push 0|1> <channel> <keep> <group keep>
--   <n> n x (<field> <value>)    content: what must be equal for two entries to say the same
--   <m> m x (<field> <value>)    the rest
--   <json>                       what is pushed; its "rev":0 becomes the entry's
-- <prev>: close_ms of the bar before; or its ID, behind which alone it goes: one that a twin has corrected meanwhile is
-- not what it was computed after.
-- <replaces>: - where it is no correction; of one the rev that it was made for, so that it comes over no other that a
-- twin has added meanwhile; * over whichever is there.
--
-- Answers (texts): added REV | same REV | different REV | behind HEAD_CLOSE_MS | unknown HEAD_CLOSE_MS
--
-- atc_publish_1 is the same with 0 for - and 1 for *: daemons of before may still run.
--
-- And, for whoever begins to publish: the newest entry of the stream. A latest that is missing or older becomes
-- that entry again.
--
-- FCALL atc_head_1 2 <stream> <last> <instance> <published_us>
--
-- Answers: { ID, { <field>, <value>, ... } } as XREVRANGE has it, or {} where there is none

local function refuse(text)
  return redis.error_reply('ATCD ' .. text)
end

-- A whole number >= 0 that a double holds exactly, in canonical form: it becomes part of an ID.
local function whole(text)
  if type(text) == 'string' and #text <= 15 and (text == '0' or text:match('^[1-9]%d*$')) then
    return tonumber(text)
  end
  return nil
end

-- Where the content's fields begin among the arguments.
local FIRST = 9

-- Reads "<n> field value ..." at `at` into by_name. Returns the position after it, or nil.
local function take_pairs(args, at, by_name)
  local count = whole(args[at])
  if not count or count > 200 or at + 2 * count > #args then return nil end
  for i = at + 1, at + 2 * count, 2 do
    local name = args[i]
    if by_name[name] then return nil end
    by_name[name] = args[i + 1]
  end
  return at + 2 * count + 1
end

-- The entry becomes one run in `args`, FIRST to call.rev_at: content, the rest, rev. It is passed on as it
-- stands, since a table of its own costs as much as the XADD.
local function parse(keys, args)
  if #keys ~= 3 then return nil, 'needs 3 keys: stream, last, all' end
  local by_name = {}
  local call = {
    stream = keys[1], last = keys[2], all = keys[3],
    close_text = args[1], close_ms = whole(args[1]), prev_text = args[2] or '', prev_close_ms = 0, prev_rev = false,
    replaces = args[3], push = args[4] == '1', channel = args[5],
    args = args, by_name = by_name, content_end = 0, rev_at = 0, json = false,
  }
  if not call.close_ms or call.close_ms == 0 then return nil, 'close_ms is not a whole number above 0' end
  local prev_ms, prev_rev = call.prev_text:match('^(.*)-(.*)$')
  call.prev_close_ms, call.prev_rev = whole(prev_ms or call.prev_text), whole(prev_rev)
  if not call.prev_close_ms or call.prev_close_ms >= call.close_ms or (prev_rev and not call.prev_rev) then
    return nil, 'prev is neither a whole number below close_ms nor an ID of such a time'
  end
  if (whole(args[6]) or 0) == 0 or (whole(args[7]) or 0) == 0 then
    return nil, 'keep and group keep are not whole numbers above 0'
  end
  if call.push and call.channel == '' then return nil, 'a push needs a channel' end
  local at = take_pairs(args, 8, by_name)
  if not at or at == FIRST then return nil, 'the content fields are not complete' end
  local size = #args
  if take_pairs(args, at, by_name) ~= size or by_name.rev or by_name[''] then
    return nil, 'the other fields are not complete'
  end
  if not (by_name.symbol and by_name.close and by_name.average and by_name.trend and by_name.previous_trend and
    by_name.source) then
    return nil, 'a field of the group stream is missing'
  end
  if by_name.close_ms ~= call.close_text then return nil, 'the field close_ms is not close_ms' end
  -- The rest moves down by one, over its count; rev takes the last two places.
  call.json, call.content_end, call.rev_at = args[size], at - 1, size
  for i = at, size - 2 do args[i] = args[i + 1] end
  args[size - 1] = 'rev'
  return call
end

local function publish_reads(call)
  return { { 'XREVRANGE', call.stream, '+', '-' }, { 'XINFO', 'STREAM', call.stream }, { 'XLEN', call.all },
    { 'HMGET', call.last, 'f' }, { 'HGETALL', call.last } }
end

-- An error reply where this user may not run one of the commands.
local function missing_right(commands)
  for _, command in ipairs(commands) do
    if not redis.acl_check_cmd(unpack(command)) then
      return redis.error_reply('NOPERM this user has no right to ' .. command[1] .. ' on ' .. command[2])
    end
  end
  return nil
end

-- A right that is missing would stop us half way: raised before the first write.
local function need(command, key, ...)
  if not redis.acl_check_cmd(command, key, ...) then error(missing_right({ { command, key, ... } })) end
end

local function need_latest(call)
  need('HSET', call.last, 'f', 'v')
  need('HDEL', call.last, 'f')
end

local function by_name_of(flat)
  local found = {}
  for i = 1, #flat, 2 do found[flat[i]] = flat[i + 1] end
  return found
end

local function entry_of(raw)
  local ms, rev = raw[1]:match('^(%d+)-(%d+)$')
  return { ms_text = ms, ms = tonumber(ms), rev = tonumber(rev), flat = raw[2], fields = by_name_of(raw[2]) }
end

-- The last ID that the stream has ever had, where its entry is gone: trimmed, or deleted by somebody. Redis refuses
-- what is not above it. Its content is known where the hash still has it. nil: nothing was ever here.
local function last_of(call, latest)
  local info = redis.pcall('XINFO', 'STREAM', call.stream)
  if info.err then
    if info.err:find('no such key', 1, true) then return nil end
    error(info)
  end
  local id = by_name_of(info)['last-generated-id']
  if id == '0-0' then return nil end
  local head = entry_of({ id, {} })
  if latest.close_ms == head.ms_text and tonumber(latest.rev) == head.rev then
    head.fields = latest
  else
    head.fields = nil
  end
  head.flat = nil
  return head
end

local function same_content(call, fields)
  local args = call.args
  for i = FIRST, call.content_end, 2 do
    if fields[args[i]] ~= args[i + 1] then return false end
  end
  return true
end

-- Our own entry. `had_gap`: the latest has a gap_from_ms.
local function write_latest(call, had_gap, rev)
  call.args[call.rev_at] = rev
  redis.call('HSET', call.last, unpack(call.args, FIRST, call.rev_at))
  if had_gap and not call.by_name.gap_from_ms then redis.call('HDEL', call.last, 'gap_from_ms') end
end

-- The latest is missing or older than the head: it becomes the head again.
local function restore_latest(call, latest, head)
  local ms, rev = tonumber(latest.close_ms or -1), tonumber(latest.rev or -1)
  if ms and rev and (ms > head.ms or (ms == head.ms and rev >= head.rev)) then return end
  need_latest(call)
  if head.ms == call.close_ms then
    write_latest(call, latest.gap_from_ms, string.format('%d', head.rev))
  elseif head.flat then
    redis.call('HSET', call.last, unpack(head.flat))
    if latest.gap_from_ms and not head.fields.gap_from_ms then redis.call('HDEL', call.last, 'gap_from_ms') end
  end
end

-- nil, and nothing is written: the stream has had a later entry, which somebody has deleted.
local function add(call, had_gap, rev_number)
  need('XADD', call.stream, '*', 'f', 'v')
  need('XADD', call.all, '*', 'f', 'v')
  if call.push then need('PUBLISH', call.channel, '') end
  need_latest(call)
  local rev, fields = string.format('%d', rev_number), call.by_name
  call.args[call.rev_at] = rev
  local added = redis.pcall('XADD', call.stream, 'MAXLEN', '~', call.args[6], call.close_text .. '-' .. rev,
    unpack(call.args, FIRST, call.rev_at))
  if type(added) == 'table' then
    if added.err:find('equal or smaller', 1, true) then return nil end
    error(added.err, 0)
  end
  write_latest(call, had_gap, rev)
  redis.call('XADD', call.all, 'MAXLEN', '~', call.args[7], '*', 'symbol', fields.symbol,
    'close_ms', call.close_text, 'rev', rev, 'close', fields.close, 'average', fields.average,
    'trend', fields.trend, 'previous_trend', fields.previous_trend, 'source', fields.source)
  if call.push then
    local json = call.json
    if rev_number > 0 then json = json:gsub('"rev":0', '"rev":' .. rev, 1) end
    redis.call('PUBLISH', call.channel, json)
  end
  return { 'added', rev }
end

-- Our bar is the head, or is somewhere before it.
local function compare(call, latest, head)
  local entry = head
  if call.close_ms < head.ms then
    local found = redis.call('XREVRANGE', call.stream, call.close_text, call.close_text, 'COUNT', 1)[1]
    if not found then return { 'unknown', head.ms_text } end
    entry = entry_of(found)
  elseif not head.fields then
    return { 'unknown', head.ms_text }
  end
  local rev = string.format('%d', entry.rev)
  if same_content(call, entry.fields) then
    restore_latest(call, latest, head)
    return { 'same', rev }
  end
  if entry == head and (call.replaces == '*' or call.replaces == rev) then
    call.replaces = '*'  -- also where one after it was deleted
    return add(call, latest.gap_from_ms, head.rev + 1)
  end
  return { 'different', rev }
end

local function is_prev(call, id)
  if call.prev_rev then return id == call.prev_text end
  return id:find(call.prev_text .. '-', 1, true) == 1
end

-- nil: the bar does not come after this head, or one that was deleted since is in its way.
local function answer_at(call, latest, head)
  if call.close_ms <= head.ms then return compare(call, latest, head) end
  if call.prev_close_ms == head.ms and (call.prev_rev or head.rev) == head.rev then
    return add(call, latest.gap_from_ms, 0)
  end
  return nil
end

local function answer_to(call)
  -- Reads first: a key of another type fails here, before anything is written.
  redis.call('XLEN', call.all)
  local had_gap = redis.call('HMGET', call.last, 'gap_from_ms')[1]
  local newest = redis.call('XREVRANGE', call.stream, '+', '-', 'COUNT', 1)[1]
  -- What nearly every call finds: the head is the bar before. Its fields are of no interest.
  local answer = nil
  if newest and is_prev(call, newest[1]) then answer = add(call, had_gap, 0) end
  if answer then return answer end
  local latest = by_name_of(redis.call('HGETALL', call.last))
  if newest then answer = answer_at(call, latest, entry_of(newest)) end
  if answer then return answer end
  local head = last_of(call, latest)
  if not head then return add(call, had_gap, 0) end
  return answer_at(call, latest, head) or { 'behind', head.ms_text }
end

-- What stopped it came before the first write. Where a right to read is missing Redis does not call it that.
local function guarded(answer_to_call, call, reads)
  local answered, answer = pcall(answer_to_call, call)
  if answered then return answer end
  return missing_right(reads(call)) or redis.error_reply(tostring(answer))
end

local function publish(keys, args)
  local call, wrong = parse(keys, args)
  if not call then return refuse(wrong) end
  return guarded(answer_to, call, publish_reads)
end

local function publish_1(keys, args)
  if args[3] then args[3] = args[3] == '1' and '*' or '-' end
  return publish(keys, args)
end

local function head_entry(call)
  local newest = redis.call('XREVRANGE', call.stream, '+', '-', 'COUNT', 1)[1]
  if not newest then return {} end
  local latest = redis.call('HMGET', call.last, 'close_ms', 'rev', 'gap_from_ms')
  local ms, rev = newest[1]:match('^(%d+)-(%d+)$')
  local latest_ms, latest_rev = tonumber(latest[1] or -1), tonumber(latest[2] or -1)
  ms, rev = tonumber(ms), tonumber(rev)
  if latest_ms and latest_rev and (latest_ms > ms or (latest_ms == ms and latest_rev >= rev)) then return newest end
  need_latest(call)
  local flat, gap = {}, false
  for i, text in ipairs(newest[2]) do
    flat[i] = i % 2 == 0 and call.fresh[newest[2][i - 1]] or text
    gap = gap or (i % 2 == 1 and text == 'gap_from_ms')
  end
  redis.call('HSET', call.last, unpack(flat))
  if latest[3] and not gap then redis.call('HDEL', call.last, 'gap_from_ms') end
  return newest
end

local function head_reads(call)
  return { { 'XREVRANGE', call.stream, '+', '-' }, { 'HMGET', call.last, 'f' } }
end

local function head(keys, args)
  if #keys ~= 2 or #args ~= 2 then return refuse('needs 2 keys: stream, last; and an instance and a time') end
  local call = { stream = keys[1], last = keys[2],
    fresh = { source = 'warm', instance = args[1], published_us = args[2] } }
  return guarded(head_entry, call, head_reads)
end

redis.register_function('atc_publish_1', publish_1)
redis.register_function('atc_publish_2', publish)
redis.register_function('atc_head_1', head)
