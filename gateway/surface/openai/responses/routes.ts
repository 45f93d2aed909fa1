import { allowMethods, noSuchPath, type Call, type Services } from "../../../http/call.ts";
import { createResponse } from "./create.ts";
import { cancelResponse, deleteResponse, listInputItems, readResponse } from "./read.ts";

/** `/v1/responses` and everything below it. */
export async function handleResponses(call: Call, services: Services): Promise<void> {
  const { responses: keeper } = services;
  const [, , id, action, ...rest] = call.segments;
  if (id === undefined) {
    await createResponse(call, services, keeper);
  } else if (rest.length > 0) {
    throw noSuchPath(call);
  } else if (action === "cancel") {
    allowMethods(call, "POST");
    await cancelResponse(call, services, { keeper, id });
  } else if (action === "input_items") {
    allowMethods(call, "GET");
    await listInputItems(call, { keeper, id });
  } else if (action !== undefined) {
    throw noSuchPath(call);
  } else if (call.method === "DELETE") {
    await deleteResponse(call, services, { keeper, id });
  } else {
    allowMethods(call, "GET", "DELETE");
    await readResponse(call, services, { keeper, id });
  }
}
