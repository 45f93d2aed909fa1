import { parentPort, workerData } from "node:worker_threads";

import { serveLog } from "./log-service.ts";
import type { OperationAnswer, OperationRequest, WorkerOptions } from "./protocol.ts";

/** The thread of the log's file: one request after the other. */
const service = serveLog(workerData as WorkerOptions);

parentPort?.on("message", ({ id, name, argument }: OperationRequest) => {
  let answer: OperationAnswer;
  try {
    answer = { id, value: (service[name] as (given: unknown) => unknown)(argument) };
  } catch (error) {
    answer = { id, error: error instanceof Error ? error.message : String(error) };
  }
  parentPort?.postMessage(answer);
});
