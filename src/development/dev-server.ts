import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import * as z from 'zod';
import { requestRefusal } from '../platform/http/local-page-guard.ts';
import { devPage } from './dev-page.ts';
import type { DevState } from './dev-state.ts';
import type { DevTerminal } from './dev-terminal.ts';

const MAX_BODY_OCTETS = 64 * 1024;
const MAX_UPLOAD_OCTETS = 32 * 2 ** 20;

const actionSchema = z.discriminatedUnion('action', [
  z.strictObject({ action: z.literal('text'), from: z.string(), text: z.string().min(1).max(4000) }),
  z.strictObject({
    action: z.literal('file'),
    from: z.string(),
    name: z.string().min(1).max(200),
    octets: z
      .int()
      .min(1)
      .max(8 * 2 ** 20),
  }),
  z.strictObject({ action: z.literal('upload'), from: z.string(), octets: z.int().min(1).max(MAX_UPLOAD_OCTETS) }),
]);
type Action = z.output<typeof actionSchema>;

export interface DevServerOptions {
  port: number;
  terminals: readonly DevTerminal[];
  readState: () => Promise<DevState>;
}

export interface DevServer {
  url: string;
  stop(): Promise<void>;
}

/** Serves the page on the loopback interface: `/`, its figures at `/state`, and what the person does at `/actions`. */
export async function startDevServer(options: DevServerOptions): Promise<DevServer> {
  const page = devPage();
  const server = createServer((request, response) => {
    answer(request, response, options, page).catch((error: Error) => {
      if (!response.headersSent) json(response, 500, { message: error.message });
      else response.destroy();
    });
  });
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  async function stop(): Promise<void> {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }
  return { url: `http://127.0.0.1:${options.port}/`, stop };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { terminals, readState }: DevServerOptions,
  page: string,
): Promise<void> {
  const refusal = requestRefusal(request);
  if (refusal !== null) return json(response, 403, { message: refusal });
  const { pathname } = new URL(request.url ?? '/', 'http://page');
  const route = `${request.method} ${pathname}`;
  if (route === 'GET /') {
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy':
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:",
    });
    response.end(page);
  } else if (route === 'GET /state') json(response, 200, await readState());
  else if (route === 'POST /actions') {
    const parsed = actionSchema.safeParse(await readJson(request));
    if (!parsed.success) return json(response, 400, { message: z.prettifyError(parsed.error) });
    const sender = terminals.find(({ account }) => account === parsed.data.from);
    const receiver = terminals.find(({ account }) => account !== parsed.data.from);
    if (sender === undefined || receiver === undefined) return json(response, 404, { message: 'no such terminal' });
    json(response, 200, await carryOut(parsed.data, sender, receiver));
  } else json(response, 404, { message: `no ${route} here` });
}

function carryOut(action: Action, sender: DevTerminal, receiver: DevTerminal) {
  if (action.action === 'text') return sender.sendText(receiver.account, action.text);
  if (action.action === 'file') return sender.sendFile(receiver.account, action.name, Buffer.alloc(action.octets, 7));
  return sender.upload(action.octets);
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let octets = 0;
  for await (const chunk of request) {
    octets += chunk.length;
    if (octets > MAX_BODY_OCTETS) return undefined;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return undefined;
  }
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
