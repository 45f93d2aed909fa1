import type { Leg, LegBegin } from "../route/leg.ts";
import type { Accounts } from "../usage/accounts.ts";
import type { CallRecord, Telemetry } from "./call-record.ts";

/** Sees what ledger and logs are told of calls, at the moment when they are. Must not throw. */
export interface CallWatch {
  onLegBegin?(leg: LegBegin): void;
  onLegEnd?(leg: Leg): void;
  onCall?(call: CallRecord): void;
}

/** Puts a watch beside the gateway's own ledger and logs; without one they stay as they are. */
export function watchCalls(
  watch: CallWatch | undefined,
  parts: { readonly accounts: Accounts; readonly telemetry: Telemetry },
): void {
  if (watch === undefined) return;
  const { accounts, telemetry } = parts;
  const begin = accounts.begin.bind(accounts);
  const end = accounts.end.bind(accounts);
  const record = telemetry.record.bind(telemetry);
  accounts.begin = (leg) => {
    begin(leg);
    watch.onLegBegin?.(leg);
  };
  accounts.end = (leg, how) => {
    const cost = end(leg, how);
    watch.onLegEnd?.({ ...leg, end: how, cost });
    return cost;
  };
  telemetry.record = (call) => {
    record(call);
    watch.onCall?.(call);
  };
}
