import { lua } from './lua.ts';

/** ARGV: operation, input as JSON. */
export const controlMain: string = lua`
local operation = operations[ARGV[1]]
if not operation then return redis.error_reply('MILLRACE_OPERATION ' .. ARGV[1]) end
local answer = operation(cjson.decode(ARGV[2]))
save()
return answer
`;
