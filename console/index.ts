export { createConsole, type Console } from "./serve.ts";
