import { GatewayError } from "../errors.ts";
import { isObject } from "../http/body.ts";

/**
 * Checks the structure of a chat request's `tools` and `tool_choice`.
 * @throws `GatewayError` `invalid_request` with the path of what is wrong
 */
export function checkTools(request: Readonly<Record<string, unknown>>): void {
  const { tools, tool_choice: choice } = request;
  if (tools !== undefined && tools !== null && !Array.isArray(tools)) {
    throw invalid("tools", "must be a list of tools");
  }
  const names = (Array.isArray(tools) ? tools : []).map(checkTool);
  if (choice === undefined || choice === null || choice === "none" || choice === "auto") return;
  if (names.length === 0) throw invalid("tool_choice", "needs tools to choose from");
  if (choice === "required") return;
  if (!isObject(choice)) {
    throw invalid("tool_choice", "must be none, auto, required or one function");
  }
  if (choice["type"] !== "function") return;
  const chosen = isObject(choice["function"]) ? choice["function"]["name"] : undefined;
  if (typeof chosen !== "string") throw invalid("tool_choice.function.name", "must be a string");
  if (!names.includes(chosen)) {
    throw invalid("tool_choice.function.name", `is ${chosen}, which is none of the tools`);
  }
}

function checkTool(tool: unknown, index: number): string | undefined {
  const where = `tools[${index}]`;
  if (!isObject(tool)) throw invalid(where, "must be an object");
  if (typeof tool["type"] !== "string") throw invalid(`${where}.type`, "must be a string");
  if (tool["type"] !== "function") return undefined;
  const definition = tool["function"];
  if (!isObject(definition)) throw invalid(`${where}.function`, "must be an object");
  const { name, parameters } = definition;
  if (typeof name !== "string" || name === "") {
    throw invalid(`${where}.function.name`, "must be a string");
  }
  if (parameters !== undefined && parameters !== null && !isObject(parameters)) {
    throw invalid(`${where}.function.parameters`, "must be a JSON Schema");
  }
  return name;
}

/**
 * The JSON Schema that a `response_format` asks for; undefined when it asks for text.
 * @throws `GatewayError` `invalid_request` with the path of what is wrong
 */
export function checkResponseFormat(
  format: unknown,
): Readonly<Record<string, unknown>> | undefined {
  if (format === undefined || format === null) return undefined;
  if (!isObject(format)) throw invalid("response_format", "must be an object with a type");
  switch (format["type"]) {
    case "text":
      return undefined;
    case "json_object":
      return { type: "object" };
    case "json_schema": {
      const wanted = format["json_schema"];
      const schema = isObject(wanted) ? wanted["schema"] : undefined;
      if (isObject(schema)) return schema;
      throw invalid("response_format.json_schema.schema", "must be a JSON Schema");
    }
    default:
      throw invalid("response_format.type", "must be text, json_object or json_schema");
  }
}

function invalid(parameter: string, message: string): GatewayError {
  return new GatewayError("invalid_request", `${parameter} ${message}.`, { parameter });
}
