// The `openai` SDK for Node: a key for a session over HTTP, and a session by `OpenAIRealtimeWS`.
//
// It is installed elsewhere: STENO_NODE says where. What passes is written to STENO_CLIENT_LOG by the public hooks of
// the SDK and of `ws`, since nobody else can read it under TLS.

import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import process from 'node:process';

const installed = createRequire(`${process.env.STENO_NODE}/`);
const { OpenAI } = installed('openai');
const { OpenAIRealtimeWS } = installed('openai/realtime/ws');
const { createTap } = process.env.STENO_TAP_URL ? await import(process.env.STENO_TAP_JS) : {};

const log = (entry) => appendFileSync(process.env.STENO_CLIENT_LOG, `${JSON.stringify(entry)}\n`);

const TOOL = {
  type: 'function',
  name: 'find_aisle',
  description: 'Says where an article is.',
  parameters: { type: 'object', properties: { article: { type: 'string' } }, required: ['article'] },
};
const TONE = Buffer.alloc(48_000, Buffer.from([0x00, 0x20, 0x00, 0xe0])).toString('base64');
const SILENCE = Buffer.alloc(48 * 900).toString('base64');
const said = (text) => ({
  type: 'conversation.item.create',
  item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] },
});
const output = (call) => ({
  type: 'conversation.item.create',
  item: { type: 'function_call_output', call_id: call.call_id, output: 'aisle 9, left' },
});

// The conversation: what to send, then the type of event to wait for, whose event the next step gets.
const STEPS = [
  [() => [], 'session.created'],
  [() => [{ type: 'session.update', session: { type: 'realtime', output_modalities: ['text'], tools: [TOOL] } }], 'session.updated'],
  [() => [said('Good evening.'), { type: 'response.create' }], 'response.done'],
  [() => [said('Please find the aisle of Marmalade'), { type: 'response.create' }], 'response.done'],
  [(done) => [output(done.response.output[0]), { type: 'response.create' }], 'response.done'],
  [() => [{ type: 'session.update', session: { type: 'realtime', output_modalities: ['audio'], tools: [] } }], 'session.updated'],
  [
    () => [
      { type: 'input_audio_buffer.append', audio: TONE },
      { type: 'input_audio_buffer.append', audio: SILENCE },
    ],
    'response.done',
  ],
  [() => [{ type: 'response.create' }, { type: 'response.cancel' }], 'response.done'],
];

const loggedFetch = async (url, init) => {
  const response = await fetch(url, init);
  const answered = await response.clone().text();
  const { pathname, search } = new URL(url);
  const asked = init.body ?? '';
  log({ method: init.method, target: pathname + search, asked, status: response.status, answered });
  return response;
};

const watch = (socket) => {
  const send = socket.send.bind(socket);
  socket.send = (data, ...more) => {
    log({ way: 'sent', data });
    return send(data, ...more);
  };
  socket.on('message', (data) => log({ way: 'received', data: data.toString() }));
};

const talk = (realtime) =>
  new Promise((resolve, reject) => {
    const steps = [...STEPS];
    let awaited;
    const next = (event) => {
      const step = steps.shift();
      if (!step) {
        resolve();
        return;
      }
      awaited = step[1];
      for (const sent of step[0](event)) realtime.send(sent);
    };
    realtime.on('event', (event) => event.type === awaited && next(event));
    realtime.on('error', reject);
    next();
  });

const client = new OpenAI({ fetch: loggedFetch });
await client.realtime.clientSecrets.create({ session: { type: 'realtime', model: 'gpt-realtime' } });
const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime' }, client);
watch(realtime.socket);
const tap = createTap?.();
tap?.(realtime);
await talk(realtime);
const closed = new Promise((resolve) => realtime.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })));
realtime.close();
const target = new URL(realtime.url);
log({ target: target.pathname + target.search, protocol: realtime.socket.protocol, ...(await closed) });
await tap?.close();
