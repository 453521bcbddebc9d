/** What the end of a process does, and TLS: each in a process of its own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync, mkdtempSync, rmSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

import { createTap } from '../src/index.js';
import { Steno, certificate, directions, mute, provide, texts } from './servers.js';

const INDEX = new URL('../src/index.js', import.meta.url).href;
const FRAMES = Array.from({ length: 100 }, (_, number) => `{"n":${number}}`);
const SEND = `for (let n = 0; n < 100; n++) tap.send('{"n":' + n + '}');`;
let steno;

beforeEach(async () => {
  steno = await Steno.start();
});
afterEach(() => steno.kill());

/** Runs a program of its own, and holds it to ten seconds. Resolves to its status, output and errors. */
function run(program, environment = {}, flags = []) {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...environment }, timeout: 10_000 };
    const source = `import { createTap } from '${INDEX}';\n${program}`;
    execFile(process.execPath, [...flags, '--input-type=module', '-e', source], options, (error, stdout, stderr) =>
      resolve({ status: error?.code ?? error?.signal ?? 0, stdout, stderr }),
    );
  });
}

test('a process with nothing more to do pushes what it has and ends', async () => {
  const done = await run(`const tap = createTap(); ${SEND}`, { STENO_TAP_URL: steno.url });

  assert.deepEqual(done, { status: 0, stdout: '', stderr: '' });
  await steno.settled();
  assert.deepEqual(texts(steno.lines), FRAMES);
});

test('an absent steno does not hold the end of a process', async () => {
  const { url } = steno;
  await steno.kill();
  const done = await run(
    `const tap = createTap({ log: () => process.stdout.write('.') });
     tap.send('{}');
     await new Promise((resolve) => setTimeout(resolve, 300)); // so that the first attempt has failed
     const begun = process.hrtime.bigint();
     process.on('exit', () => console.log(process.hrtime.bigint() - begun < 1_500_000_000n));`,
    { STENO_TAP_URL: url },
  );
  await steno.start();

  assert.deepEqual(done, { status: 0, stdout: '.true\n', stderr: '' });
});

test('a steno that reads nothing does not hold the end of a process', async () => {
  const peer = await mute();
  const done = await run(`const tap = createTap({ log() {} }); for (let n = 0; n < 500; n++) tap.send('A'.repeat(50_000));`, {
    STENO_TAP_URL: `ws://127.0.0.1:${peer.port}`,
  });
  await peer.stop();

  assert.equal(done.status, 0);
});

test('frames arrive over TLS, and none at a stranger', async (context) => {
  const tls = certificate(context);
  const secure = await Steno.start({ tls });
  context.after(() => secure.kill());
  const logged = [];
  const stranger = createTap({ url: secure.url, token: 't0ken', log: (message) => logged.push(message) });
  stranger.send('{}');
  assert.equal(await stranger.close(300), false);
  assert.deepEqual(secure.pushes, []);
  assert.match(logged[0], /^cannot push to steno, trying again: cannot connect to 127.0.0.1:\d+ \(self-signed cert/);

  const tap = createTap({ url: secure.url, tls: { ca: tls.cert } });
  tap.send('A'.repeat(1_000_000));
  assert.equal(await tap.close(), true);
  await secure.settled();
  assert.deepEqual(texts(secure.lines), ['A'.repeat(1_000_000)]);
});

test('OpenAIRealtimeWebSocket of openai, over the WebSocket of the platform', async (context) => {
  const tls = certificate(context);
  const folder = mkdtempSync(join(tmpdir(), 'steno-tap-'));
  context.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'ca.pem'), tls.cert);
  const provider = await provide({ tls });
  const done = await run(
    `import OpenAI from 'openai';
     import { OpenAIRealtimeWebSocket } from 'openai/realtime/websocket';
     const client = new OpenAI({ apiKey: 'sk-of-the-application', baseURL: 'https://127.0.0.1:${provider.port}' });
     const tap = createTap();
     const connection = tap(new OpenAIRealtimeWebSocket({ model: 'gpt-realtime' }, client));
     connection.on('session.created', () => connection.send({ type: 'response.create' }));
     connection.on('response.done', () => connection.close());
     await new Promise((resolve) => connection.socket.addEventListener('close', resolve));`,
    { STENO_TAP_URL: steno.url, NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem'), NODE_NO_WARNINGS: '1' },
    ['--experimental-websocket'], // Node 20 has it, and does not offer it by itself
  );
  await provider.stop();

  assert.deepEqual(done, { status: 0, stdout: '', stderr: '' });
  await steno.settled();
  assert.deepEqual(directions(steno), { received: provider.sent, sent: provider.received });
  assert.deepEqual(
    steno.lines.slice(0, 2).map((line) => line.dir),
    ['received', 'sent'],
  );
  assert.equal(steno.lines.at(-1).dir, 'close');
});

test('the token in a file is read again at each attempt', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'steno-tap-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'token');
  writeFileSync(file, 'first\n');
  process.env.STENO_TAP_TOKEN_FILE = file;
  context.after(() => delete process.env.STENO_TAP_TOKEN_FILE);
  const tap = createTap({ url: steno.url });
  for (const token of ['first', 'second']) {
    writeFileSync(file, `${token}\n`);
    const conversation = tap.conversation();
    conversation.send('{}');
    conversation.close();
    await conversation.finished;
  }

  assert.equal(await tap.close(), true);
  assert.deepEqual(
    steno.pushes.map((push) => push.headers.authorization),
    ['Bearer first', 'Bearer second'],
  );
});

test('the examples of the README, as they stand there', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const examples = [...readme.matchAll(/```js\n(.*?)```/gs)].map((match) => match[1]);
  assert.equal(examples.length, 3);
  for (const example of examples) {
    const provider = await provide();
    const source = example
      .replaceAll("'steno-tap'", `'${INDEX}'`)
      .replaceAll('wss://api.openai.com/v1/realtime', `ws://127.0.0.1:${provider.port}/v1/realtime`);
    const done = await run(source.replace(/import \{ createTap \} from .*\n/, ''), {
      STENO_TAP_URL: steno.url,
      OPENAI_API_KEY: 'sk-of-the-application',
    });
    await provider.stop();
    assert.deepEqual([done.status, done.stderr], [0, '']);
  }
  await steno.settled(3);
  assert.deepEqual(
    steno.pushes.map((push) => [push.query.conversation, push.lines.length > 1]),
    [
      [undefined, true],
      ['till-7', true],
      ['till-7', true],
    ],
  );
});
