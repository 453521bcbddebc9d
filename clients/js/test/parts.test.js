import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Receiver, Sender } from 'ws';

import { bounds, delays, retryAfter } from '../src/backoff.js';
import { ITEM_BYTES, Queue, frame } from '../src/queue.js';
import { Settings } from '../src/settings.js';
import { MESSAGE_BYTES, ProtocolError, Reader, encode } from '../src/websocket.js';

/** Returns numbers that are the same in each run. */
function generator(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test('another implementation reads what is encoded', async () => {
  for (const length of [0, 1, 2, 3, 4, 5, 125, 126, 127, 65_535, 65_536, 100_001]) {
    const random = generator(length + 1);
    const payload = Buffer.from(Array.from({ length }, () => random(128)));
    const receiver = new Receiver({ isServer: true, maxPayload: 1e6 });
    const read = new Promise((resolve, reject) => receiver.on('message', resolve).on('error', reject));
    receiver.write(encode(0x1, payload));
    assert.ok(payload.equals(await read), String(length));
  }
});

test('each frame has a mask of its own', () => {
  assert.notDeepEqual(encode(1, Buffer.from('same')).subarray(2, 6), encode(1, Buffer.from('same')).subarray(2, 6));
});

function serverFrames() {
  const chunks = [];
  const socket = { cork() {}, uncork() {}, write: (chunk) => chunks.push(chunk) };
  const sender = new Sender(socket);
  const text = (data, fin = true) => sender.send(data, { binary: false, fin, mask: false, compress: false }, () => {});
  text('{"ack":1}');
  text('{"a', false);
  sender.ping('now', false, () => {});
  text('ck":2}');
  text('x'.repeat(300));
  text('');
  sender.close(1001, 'going', false, () => {});
  return Buffer.concat(chunks.map((chunk) => Buffer.from(chunk)));
}

for (const size of [1, 2, 3, 7, 1000]) {
  test(`messages are read however they are cut: by ${size}`, () => {
    const data = serverFrames();
    const reader = new Reader();
    const found = [];
    for (let at = 0; at < data.length; at += size) found.push(...reader.feed(data.subarray(at, at + size)));
    assert.deepEqual(
      found.map(({ opcode, payload }) => [opcode, payload.toString('latin1')]),
      [
        [1, '{"ack":1}'],
        [9, 'now'],
        [1, '{"ack":2}'],
        [1, 'x'.repeat(300)],
        [1, ''],
        [8, '\x03\xe9going'],
      ],
    );
  });
}

test('what breaks the rules is refused', () => {
  const long = Buffer.concat([Buffer.from([0x01, 0x7e, 0xff, 0xff]), Buffer.alloc(65_535, 'x')]);
  const hostile = [
    [0xc1, 0x00],
    [0x81, 0x81, 1, 2, 3, 4, 5],
    [0x80, 0x00],
    [0x01, 0x00, 0x81, 0x00],
    [0x83, 0x00],
    [0x09, 0x00],
    [0x89, 0x7e, 0x00, 0x7e, ...Array(126).fill(0)],
    [0x81, 0x7f, 0x40, 0, 0, 0, 0, 0, 0, 0],
    [...long, 0x00, ...long.subarray(1)],
  ];
  for (const bytes of hostile) assert.throws(() => new Reader().feed(Buffer.from(bytes)), ProtocolError);
  assert.equal(MESSAGE_BYTES, 65_536);
});

for (const keep of [false, true]) {
  test(`nothing is lost without being counted, and all bytes come back: keep ${keep}`, () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = generator(seed);
      const budget = { totalBytes: 4000, usedBytes: 0 };
      const queue = new Queue(3000, budget, keep);
      let [put, gone] = [0, 0];
      for (let step = 0; step < 200; step++) {
        const action = random(6);
        if (action < 3) {
          put += 1;
          queue.put(frame(step, 'received', 'A'.repeat([1, 10, 300, 5000][random(4)])), 'queue_full');
        } else if (action === 3) {
          queue.take(1 + random(2000));
        } else if (action === 4 && keep) {
          const count = random(Math.min(4, queue.unconfirmed.length + 1));
          gone += queue.unconfirmed.slice(0, count).reduce((sum, item) => sum + item.frames, 0);
          queue.confirm(queue.first - 1 + count);
        } else if (action === 5) {
          queue.rewind(step);
        }
        const items = [...queue.waiting, ...queue.unconfirmed];
        assert.equal(put, gone + queue.inFlight.frames + items.reduce((sum, item) => sum + item.frames, 0));
        assert.equal(queue.heldBytes, budget.usedBytes);
        assert.ok(queue.heldBytes - ITEM_BYTES * items.filter((item) => item.kind === 'gap').length <= 3000);
      }
      queue.clear();
      assert.deepEqual([queue.heldBytes, budget.usedBytes], [0, 0]);
    }
  });
}

test('addresses and tokens that can never do are refused without their secrets', () => {
  const urls = ['http://h', 'h:1', 'ws://', 'ws://user:secret@h', 'ws://h?token=secret', 'ws://h:70000'];
  for (const url of urls) {
    assert.throws(() => new Settings({ url }, {}), (error) => error instanceof TypeError && !/secret/.test(error.message));
  }
  for (const token of ['', 'two words', 'line\r\nX-Header: 1', 'ü']) {
    assert.throws(() => new Settings({ token }, {}), /^TypeError: the token in token is empty or has other characters/);
  }
  assert.throws(() => new Settings({ queueBytes: 0 }, {}), TypeError);
});

test('the environment says what is not said here', () => {
  const environment = { STENO_TAP_URL: 'ws://steno.example:1', STENO_TAP_TOKEN: 'there' };
  assert.equal(new Settings({}, environment).url.host, 'steno.example:1');
  assert.equal(new Settings({}, environment).readToken(), 'there');
  assert.equal(new Settings({ token: 'here' }, environment).readToken(), 'here');
  assert.equal(new Settings({}, environment).inTheClear, true);
  assert.equal(new Settings({ url: 'ws://[::1]:1' }, environment).inTheClear, false);
  const missing = new Settings({}, { STENO_TAP_TOKEN_FILE: '/nowhere' });
  assert.throws(() => missing.readToken(), { message: 'cannot read the token in /nowhere: ENOENT' });
});

test('targets', () => {
  const target = (url, options = {}) => new Settings({ url, ...options }, {}).target('a/b&c', 'id', 7);
  assert.equal(target('ws://h'), '/v1/push?conversation=a%2Fb%26c');
  assert.equal(target('wss://h/behind/'), '/behind/v1/push?conversation=a%2Fb%26c');
  assert.equal(target('wss://h/v1/push', { ack: true }), '/v1/push?conversation=a%2Fb%26c&ack=1&resume=id&from=7');
});

test('waits are spread over a bound that doubles', (context) => {
  const shortened = { ...bounds };
  context.after(() => Object.assign(bounds, shortened));
  Object.assign(bounds, { first: 500, longest: 30_000 });
  const runs = Array.from({ length: 2000 }, () => {
    const waits = delays();
    return Array.from({ length: 8 }, () => waits.next().value);
  });
  for (const [index, bound] of [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].entries()) {
    const waits = runs.map((run) => run[index]);
    assert.ok(Math.max(...waits) <= bound && Math.max(...waits) > 0.95 * bound && Math.min(...waits) < 0.05 * bound);
  }
});

test('Retry-After', () => {
  const now = Date.parse('2026-05-04T12:00:00Z');
  const asked = {
    7: 7000,
    99999: 300_000,
    [`${'9'.repeat(5000)}`]: 0,
    '-1': 0,
    '٣': 0,
    soon: 0,
    'Mon, 04 May 2026 12:00:30 GMT': 30_000,
    'Mon, 04 May 2026 11:00:00 GMT': 0,
    'Mon, 04 May 2026 18:00:00 GMT': 300_000,
    '2026': 2026_000 > 300_000 ? 300_000 : 0,
  };
  for (const [value, wait] of Object.entries(asked)) assert.equal(retryAfter(value, now), wait, value);
  assert.equal(retryAfter(undefined, now), 0);
});
