/** Written after the templates that these model families publish in their `tokenizer_config.json`. */
const templates: ReadonlyMap<string, string> = new Map([
  [
    "chatml",
    // Tools as Qwen2.5 and Hermes describe them.
    `{%- if tools %}
{{- '<|im_start|>system\\n' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
{{- '# Tools\\n\\nYou may call one or more functions to assist with the user query.\\n\\nYou are provided with function signatures within <tools></tools> XML tags:\\n<tools>' }}
{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}
{{- '\\n</tools>\\n\\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\\n<tool_call>\\n{"name": <function-name>, "arguments": <args-json-object>}\\n</tool_call><|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'system' and tools and loop.first %}
{%- elif message.role == 'tool' %}
{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
{%- else %}
{{- '<|im_start|>' + message.role + '\\n' + message.content }}
{%- for call in message.tool_calls or [] %}
{{- '\\n<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}{{- call.function.arguments | tojson }}{{- '}\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}`,
  ],
  [
    "llama3",
    `{{- bos_token }}
{%- for message in messages %}
{{- '<|start_header_id|>' + ('ipython' if message.role == 'tool' else message.role) + '<|end_header_id|>\\n\\n' + message.content | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}`,
  ],
  [
    "mistral",
    `{{- bos_token }}
{%- set ns = namespace(system='') %}
{%- for message in messages %}
{%- if message.role == 'system' %}{%- set ns.system = ns.system + message.content + '\\n\\n' %}
{%- elif message.role == 'assistant' %}{{- ' ' + message.content | trim + (eos_token or '</s>') }}
{%- else %}{{- '[INST] ' + ns.system + message.content + ' [/INST]' }}{%- set ns.system = '' %}
{%- endif %}
{%- endfor %}`,
  ],
  [
    "gemma",
    `{{- bos_token }}
{%- set ns = namespace(system='') %}
{%- for message in messages %}
{%- if message.role == 'system' %}{%- set ns.system = ns.system + message.content + '\\n\\n' %}
{%- elif message.role == 'assistant' %}{{- '<start_of_turn>model\\n' + message.content | trim + '<end_of_turn>\\n' }}
{%- else %}{{- '<start_of_turn>user\\n' + ns.system + message.content | trim + '<end_of_turn>\\n' }}{%- set ns.system = '' %}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<start_of_turn>model\\n' }}{%- endif %}`,
  ],
  [
    "plain",
    `{%- for message in messages %}{{- message.role | capitalize + ': ' + message.content + '\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- 'Assistant:' }}{%- endif %}`,
  ],
]);

/** Names of the bundled chat templates. */
export const bundledTemplateNames: readonly string[] = [...templates.keys()];

/** The Jinja text of a bundled chat template. */
export function bundledTemplate(name: string): string | undefined {
  return templates.get(name);
}
