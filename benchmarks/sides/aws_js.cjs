// The works, done by AWS's JavaScript SDK: see lab.py for what a side is.
"use strict";
const readline = require("node:readline");
const { withDurableExecution } = require("@aws/durable-execution-sdk-js");

const FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:bench";
const NOW = 1_700_000_000_000;
const CONTEXT = {
  awsRequestId: "request",
  functionName: "bench",
  functionVersion: "1",
  invokedFunctionArn: FUNCTION,
  memoryLimitInMB: "512",
  logGroupName: "bench",
  logStreamName: "bench",
  getRemainingTimeInMillis: () => 900_000,
};
const later = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const print = console.log.bind(console);
for (const word of ["log", "info", "debug", "warn", "error"]) console[word] = () => {};

class Stub {
  constructor(latency = 0) {
    Object.assign(this, { latency, calls: 0, updates: [] });
  }

  async checkpoint(request) {
    this.calls += 1;
    this.updates.push(...(request.Updates ?? []));
    if (this.latency) await later(this.latency * 1000);
    return { CheckpointToken: `t${this.calls}`, NewExecutionState: { Operations: [] } };
  }

  async getExecutionState() {
    return { Operations: [] };
  }
}

function event(count, log = "[]") {
  const execution = {
    Id: "run",
    Type: "EXECUTION",
    Status: "STARTED",
    StartTimestamp: NOW,
    ExecutionDetails: { InputPayload: JSON.stringify({ count }) },
  };
  return {
    DurableExecutionArn: `${FUNCTION}:1/durable-execution/bench/run`,
    CheckpointToken: "t0",
    InitialExecutionState: { Operations: [execution, ...JSON.parse(log)], NextMarker: "" },
  };
}

function logOf(updates) {
  const ended = updates.filter((update) => update.Action === "SUCCEED");
  return JSON.stringify(
    ended.map(({ Id, ParentId, Name, Type, SubType, Payload }) => ({
      Id, ParentId, Name, Type, SubType,
      Status: "SUCCEEDED",
      StartTimestamp: NOW,
      EndTimestamp: NOW,
      StepDetails: { Attempt: 1, Result: Payload },
    })),
  );
}

async function invoked(flow, given, stub, result) {
  const handler = withDurableExecution((given, context) => flow(given.count, context), { durableExecutionClient: stub });
  global.gc();
  const began = process.hrtime.bigint();
  const envelope = await handler(given, CONTEXT);
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  if (envelope.Status !== "SUCCEEDED" || JSON.parse(envelope.Result) !== result)
    throw new Error(JSON.stringify(envelope));
  return seconds;
}

async function steps(count, context) {
  let seen = 0;
  for (let i = 0; i < count; i++) {
    const found = await context.step(`s${i}`, async () => ({ i, v: "x".repeat(20) }));
    seen += found.i === i;
  }
  return seen;
}

const logs = new Map();
async function logOfSteps(count) {
  if (!logs.has(count)) {
    const stub = new Stub();
    await invoked(steps, event(count), stub, count);
    logs.set(count, logOf(stub.updates));
  }
  return logs.get(count);
}

const works = {
  async nothing() {
    return { seconds: await invoked(steps, event(0), new Stub(), 0) };
  },

  async replay({ count }) {
    const stub = new Stub();
    const seconds = await invoked(steps, event(count, await logOfSteps(count)), stub, count);
    if (stub.calls) throw new Error(`${stub.calls} calls`);
    return { seconds };
  },

  async live({ count }) {
    const stub = new Stub();
    const seconds = await invoked(steps, event(count), stub, count);
    return { seconds, calls: stub.calls };
  },

  async map({ count, latency = 0, working = 0 }) {
    const flow = async (count, context) => {
      const items = [...Array(count).keys()];
      const found = await context.map("map", items, (child, item) =>
        child.step("double", async () => {
          if (working) await later(working * 1000);
          return item * 2;
        }),
      );
      return found.getResults().reduce((one, other) => one + other, 0);
    };
    const stub = new Stub(latency);
    const seconds = await invoked(flow, event(count), stub, count * (count - 1));
    return { seconds, calls: stub.calls, updates: stub.updates.length, threads: 0 };
  },
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { work, ...given } = JSON.parse(line);
    print(JSON.stringify(await works[work](given)));
  }
})();
