import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { createTap } from '../src/index.js';
import { times } from '../src/session.js';
import { Steno, mute, shapes, texts, until } from './servers.js';

const FIRST = '{"type":"session.created"}';
const SECOND = '{"type":"response.create"}';
const frames = (first, last) => Array.from({ length: last - first + 1 }, (_, index) => `{"n":${first + index}}`);

let steno;
let taps;
let logged;

beforeEach(async () => {
  steno = await Steno.start();
  taps = [];
  logged = [];
});

afterEach(async () => {
  await Promise.all(taps.map((tap) => tap.close(0)));
  await steno.kill();
});

function makeTap(options = {}) {
  const tap = createTap({ url: steno.url, log: (message) => logged.push(message), ...options });
  taps.push(tap);
  return tap;
}

test('frames arrive with direction, time and bytes', async () => {
  const odd = '{ "type" : "x", "text": "Grüße \\u00fc \\" \\n", "t": "},\\"dir\\":\\"sent\\"" }';
  const tap = makeTap({ token: 't0ken', conversation: 'call 1/ä&x=y' });
  const before = new Date().toISOString();
  tap.send(FIRST);
  tap.send(Buffer.from(SECOND), 'sent');
  tap.send({ type: 'input_audio_buffer.commit' }, 'sent');
  tap.send(odd);
  tap.send(new Uint8Array([255, 0]));
  tap.send('{"half":"\ud800"}');

  assert.equal(await tap.close(), true);
  await steno.settled();
  const [push] = steno.pushes;
  assert.deepEqual(shapes(push.lines), [
    { dir: 'received', text: FIRST },
    { dir: 'sent', text: SECOND },
    { dir: 'sent', text: '{"type":"input_audio_buffer.commit"}' },
    { dir: 'received', text: odd },
    { dir: 'received', base64: '/wA=' },
    { dir: 'received', text: '{"half":"\ufffd"}' },
  ]);
  assert.ok(push.lines.every((line) => line.at >= before));
  assert.deepEqual([push.path, push.query, push.code], ['/v1/push', { conversation: 'call 1/ä&x=y' }, 1000]);
  assert.equal(push.headers.authorization, 'Bearer t0ken');
  assert.deepEqual(Object.keys(push.headers).sort(), [
    'authorization',
    'connection',
    'host',
    'sec-websocket-key',
    'sec-websocket-version',
    'upgrade',
    'user-agent',
  ]);
});

test('frames of every length arrive whole', async () => {
  const tap = makeTap();
  const sizes = [0, 1, 60, 61, 62, 63, 64, 65, 1000, 65_400, 65_500, 65_600, 3_000_000];
  const sent = sizes.map((size) => 'A'.repeat(size));
  for (const frame of sent) tap.send(frame);

  assert.equal(await tap.close(), true);
  await steno.settled();
  assert.deepEqual(texts(steno.lines), sent);
});

test('what has no room meanwhile is a gap in its place', async () => {
  await steno.kill();
  const tap = makeTap({ queueBytes: 1000 });
  for (const frame of frames(0, 4)) tap.send(frame);
  await steno.start();
  await until(() => steno.lines.length === 4);
  tap.send('{"n":5}');

  assert.equal(await tap.close(), true);
  await steno.settled();
  assert.deepEqual(shapes(steno.lines), [
    { dir: 'received', text: '{"n":0}' },
    { dir: 'received', text: '{"n":1}' },
    { dir: 'received', text: '{"n":2}' },
    { dir: 'gap', frames: 2, bytes: 14, reason: 'disconnected' },
    { dir: 'received', text: '{"n":5}' },
  ]);
});

test('a server that never reads costs the bound, and what is missing is counted', async (context) => {
  const peer = await mute();
  const tap = makeTap({ url: `ws://127.0.0.1:${peer.port}`, queueBytes: 1_000_000 });
  const conversation = tap.conversation();
  conversation.send(FIRST);
  await until(() => peer.accepted.length === 1);
  const frame = 'A'.repeat(50_000);
  for (let count = 0; count < 1000; count++) {
    conversation.send(frame);
    if (count % 100 === 0) await new Promise(setImmediate);
  }
  assert.ok(conversation.queue.heldBytes <= 1_001_000);
  await peer.stop();
  const after = await Steno.start({ port: peer.port });
  context.after(() => after.kill());

  assert.equal(await tap.close(), true);
  await after.settled();
  const gaps = after.lines.filter((line) => line.dir === 'gap');
  assert.deepEqual(new Set(gaps.map((gap) => gap.reason)), new Set(['disconnected', 'queue_full']));
  const missing = gaps.reduce((sum, gap) => sum + gap.frames, 0);
  assert.equal(texts(after.lines).length + missing, 1001);
});

test('a connection that breaks leaves a gap of what was not confirmed', async (context) => {
  const peer = await mute();
  const tap = makeTap({ url: `ws://127.0.0.1:${peer.port}` });
  const conversation = tap.conversation();
  for (let count = 0; count < 20; count++) conversation.send(FIRST);
  await until(() => conversation.queue.inFlight.frames === 20);
  await peer.stop();
  await until(() => conversation.queue.inFlight.frames === 0);
  conversation.send(SECOND, 'sent');
  const after = await Steno.start({ port: peer.port });
  context.after(() => after.kill());

  assert.equal(await tap.close(), true);
  await after.settled();
  assert.deepEqual(shapes(after.lines), [
    { dir: 'gap', frames: 20, bytes: 20 * FIRST.length, reason: 'disconnected' },
    { dir: 'sent', text: SECOND },
  ]);
});

for (const status of [401, 403, 404, 400, 429, 503]) {
  test(`a refusal with ${status} is tried again and logged once`, async () => {
    steno.refusal = { status, body: '{"error":{"message":"no: t0ken"}}' };
    const tap = makeTap({ token: 't0ken' });
    tap.send(FIRST);
    await until(() => steno.refused.length > 2);
    steno.refusal = null;

    assert.equal(await tap.close(), true);
    await steno.settled();
    assert.deepEqual(texts(steno.lines), [FIRST]);
    const refusal = `it answers ${status} {"error":{"message":"no: ***"}}`;
    assert.deepEqual(logged, [`cannot push to steno, trying again: ${refusal}`]);
  });
}

test('a server that asks for a wait gets it', async () => {
  steno.refusal = { status: 503, headers: { 'Retry-After': '1' } };
  const tap = makeTap();
  tap.send(FIRST);
  await until(() => steno.refused.length > 0);
  const refusedAt = Date.now();
  steno.refusal = null;

  assert.equal(await tap.close(), true);
  assert.ok(Date.now() - refusedAt >= 900);
  assert.equal(steno.refused.length, 1);
});

for (const code of [1001, 1008, 1011, 1013]) {
  test(`a close with ${code} is a reason to connect again`, async () => {
    steno.onLine = (connection) => {
      steno.onLine = () => {};
      connection.close(code, 'reason');
    };
    const tap = makeTap();
    tap.send(FIRST);
    await until(() => steno.pushes[0]?.code === code);
    tap.send(SECOND);

    assert.equal(await tap.close(), true);
    await steno.settled(2);
    assert.deepEqual(
      steno.pushes.map((push) => push.code),
      [code, 1000],
    );
    assert.equal(texts(steno.lines).at(-1), SECOND);
  });
}

test('a peer without a word is given up', async (context) => {
  const usual = { ...times };
  context.after(() => Object.assign(times, usual));
  Object.assign(times, { ping: 30, silence: 50 });
  const peer = await mute();
  const tap = makeTap({ url: `ws://127.0.0.1:${peer.port}` });
  tap.send(FIRST);

  await until(() => peer.accepted.length === 2);
  assert.equal(await tap.close(0), false);
  await peer.stop();
});

test('with acks, a restart of steno loses nothing and doubles nothing', async () => {
  const tap = makeTap({ ack: true });
  for (let kill = 0; kill < 30; kill++) {
    for (const frame of frames(10 * kill + 1, 10 * kill + 10)) tap.send(frame);
    await until(() => [...steno.disk.values()].flat().length >= 10 * kill + 5);
    await steno.kill();
    await steno.start();
  }

  assert.equal(await tap.close(30_000), true);
  const [kept] = [...steno.disk.values()].filter((lines) => lines.length > 0);
  assert.deepEqual(texts(kept), frames(1, 300));
});

test('with acks, what was not acknowledged is sent again under its number', async () => {
  steno.acknowledges = false;
  const tap = makeTap({ ack: true });
  for (const frame of frames(1, 3)) tap.send(frame);
  await until(() => steno.lines.length === 3);
  await steno.kill();
  steno.acknowledges = true;
  await steno.start();
  tap.send('{"n":4}');

  assert.equal(await tap.close(), true);
  await steno.settled(2);
  assert.deepEqual([steno.pushes[1].query.from, texts(steno.pushes[1].lines)], ['1', frames(1, 4)]);
  assert.equal(steno.pushes[0].query.resume, steno.pushes[1].query.resume);
});

test('with acks, a frame over which steno closes is given up and reported', async () => {
  const long = `{"long":"${'A'.repeat(1000)}"}`;
  steno.onLine = (connection, line) => line.text === long && connection.close(1009, 'too long');
  const tap = makeTap({ ack: true });
  for (const frame of ['{"n":1}', long, '{"n":2}']) tap.send(frame);

  assert.equal(await tap.close(), true);
  await steno.settled(2);
  assert.deepEqual(shapes(steno.pushes.at(-1).lines).slice(-2), [
    { dir: 'gap', frames: 1, bytes: long.length, reason: 'frame_too_big' },
    { dir: 'received', text: '{"n":2}' },
  ]);
});

test('messages that are no acknowledgements change nothing', async () => {
  const babble = ['', '[', '{}', '{"ack":true}', '{"ack":"1"}', '{"ack":-5}', 'null', Buffer.from([255])];
  steno.onLine = (connection) => babble.forEach((message) => connection.send(message));
  const tap = makeTap({ ack: true });
  tap.send(FIRST);

  assert.equal(await tap.close(), true);
  assert.equal(steno.pushes.length, 1);
});

test('an absent steno ends with the time that close gives it', async () => {
  await steno.kill();
  const tap = makeTap();
  const conversation = tap.conversation();
  conversation.send(FIRST);

  assert.equal(await tap.close(30), false);
  assert.equal(conversation.queue.heldBytes, 0);
  assert.match(logged.at(-1), /^1 frames \(26 bytes\) of a conversation that has ended did not reach steno$/);
  await steno.start();
});

test('an ended conversation lingers for its time only', async () => {
  await steno.kill();
  const tap = makeTap({ lingerMs: 30 });
  const conversation = tap.conversation();
  conversation.send(FIRST);
  conversation.close(1000, '');

  await until(() => conversation.queue.heldBytes === 0); // nothing of the tap would hold the process for it
  assert.equal(await conversation.finished, false);
  await steno.start();
});

test('nothing of the tap is thrown into the application', async () => {
  const tap = makeTap({ log: () => assert.fail('a log of the application may fail') });
  const loop = {};
  loop.loop = loop;
  for (const frame of [undefined, null, 7, Symbol('x'), loop, () => {}, { big: 1n }]) tap.send(frame);
  tap.send(FIRST, 'sideways');

  assert.equal(tap(7), 7);
  assert.equal(tap(null), null);
  assert.equal(await tap.close(), true);
});
