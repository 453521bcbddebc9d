/**
 * The client's side of RFC 6455, as far as pushing needs it: bytes in, messages out.
 *
 * The WebSocket of Node has no headers, so it can show no token, and `ws` may be absent or of any version. So the tap
 * brings the little that it needs. No extension is offered, and what a server sends is short: acknowledgements.
 */
import { createHash, randomBytes } from 'node:crypto';

export const TEXT = 0x1;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** The longest message of a server that is read. An acknowledgement has some twenty bytes. */
export const MESSAGE_BYTES = 64 * 1024;

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const CONTROL_BYTES = 125;

/** The peer does not speak the protocol. */
export class ProtocolError extends Error {}

/** Returns a key for one handshake. */
export function newKey() {
  return randomBytes(16).toString('base64');
}

/** Throws ProtocolError where a 101 is not the answer to `key`: a cache or another protocol is talking. */
export function checkAccepted(headers, key) {
  const expected = createHash('sha1').update(key + GUID).digest('base64');
  if (headers.upgrade?.toLowerCase() !== 'websocket') throw new ProtocolError('the answer upgrades to no websocket');
  if (headers['sec-websocket-accept'] !== expected) {
    throw new ProtocolError('the answer does not belong to this handshake');
  }
  if (headers['sec-websocket-extensions'] !== undefined) {
    throw new ProtocolError('the answer has an extension that was not offered');
  }
}

/** Returns a whole message as one masked frame. */
export function encode(opcode, payload, key = randomBytes(4)) {
  const length = payload.length;
  const head = length < 126 ? 2 : length < 65536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + 4 + length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (head === 2 ? length : head === 4 ? 126 : 127);
  if (head === 4) frame.writeUInt16BE(length, 2);
  if (head === 10) frame.writeBigUInt64BE(BigInt(length), 2);
  key.copy(frame, head);
  for (let index = 0, at = head + 4; index < length; index++, at++) frame[at] = payload[index] ^ key[index & 3];
  return frame;
}

/** Returns a close frame. */
export function encodeClose(code) {
  return encode(CLOSE, Buffer.from([code >> 8, code & 0xff]));
}

/** Returns code (null without one) and reason of a close frame. */
export function closeOf(message) {
  const { payload } = message;
  return payload.length < 2 ? { code: null, reason: '' } : { code: payload.readUInt16BE(0), reason: payload.toString('utf8', 2) };
}

/** Messages out of the bytes of a server, however they are cut. */
export class Reader {
  #buffer = Buffer.alloc(0);
  #parts = [];
  #partBytes = 0;
  #fragmented = false;

  /** Returns the messages that `data` completes. Throws ProtocolError; then the connection is of no use. */
  feed(data) {
    this.#buffer = this.#buffer.length === 0 ? data : Buffer.concat([this.#buffer, data]);
    const messages = [];
    for (let frame; (frame = this.#nextFrame()) !== null; ) {
      const message = this.#message(frame);
      if (message !== null) messages.push(message);
    }
    return messages;
  }

  #nextFrame() {
    const buffer = this.#buffer;
    if (buffer.length < 2) return null;
    if (buffer[0] & 0x70 || buffer[1] & 0x80) throw new ProtocolError('a frame has reserved bits or a mask');
    const short = buffer[1];
    const begin = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (buffer.length < begin) return null;
    const length = begin === 2 ? short : begin === 4 ? buffer.readUInt16BE(2) : Number(buffer.readBigUInt64BE(2));
    if (length > MESSAGE_BYTES) throw new ProtocolError('a message is too long');
    if (buffer.length < begin + length) return null;
    this.#buffer = buffer.subarray(begin + length);
    return { final: (buffer[0] & 0x80) !== 0, opcode: buffer[0] & 0x0f, payload: buffer.subarray(begin, begin + length) };
  }

  #message({ final, opcode, payload }) {
    if (opcode === CLOSE || opcode === PING || opcode === PONG) {
      if (!final || payload.length > CONTROL_BYTES) throw new ProtocolError('a control frame is fragmented or too long');
      return { opcode, payload };
    }
    if (opcode > 2 || (opcode === 0) !== this.#fragmented) throw new ProtocolError('a frame has no place here');
    this.#parts.push(payload);
    this.#partBytes += payload.length;
    if (this.#partBytes > MESSAGE_BYTES) throw new ProtocolError('a message is too long');
    this.#fragmented = !final;
    if (!final) return null;
    const whole = Buffer.concat(this.#parts.splice(0));
    this.#partBytes = 0;
    return { opcode: TEXT, payload: whole };
  }
}
