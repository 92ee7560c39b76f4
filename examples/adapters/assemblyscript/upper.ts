// The adapter "upper" in AssemblyScript: it posts the request's intent to base_url + "/upper" and hands on the JSON object that
// comes back. What the tags mean, and why a reader must refuse some of them, stands in sdk/adapter/ABI.md.

// Writer writes fields: a tag of 2 bytes, a length of 4, and the value. wasm32 is little endian, as the document is.
class Writer {
  buf: StaticArray<u8> = new StaticArray<u8>(4096);
  size: i32 = 0;

  raw(from: usize, size: i32): void {
    if (this.size + size > this.buf.length) {
      const grown = new StaticArray<u8>((this.size + size) * 2);
      memory.copy(changetype<usize>(grown), changetype<usize>(this.buf), this.size);
      this.buf = grown;
    }
    memory.copy(changetype<usize>(this.buf) + this.size, from, size);
    this.size += size;
  }

  text(s: string): void {
    const b = String.UTF8.encode(s);
    this.raw(changetype<usize>(b), b.byteLength);
  }

  // open begins a field, and close ends the one that begins there.
  open(tag: u16): i32 {
    const head = new StaticArray<u8>(6);
    store<u16>(changetype<usize>(head), tag);
    this.raw(changetype<usize>(head), 6);
    return this.size;
  }

  close(mark: i32): void {
    store<u32>(changetype<usize>(this.buf) + mark - 4, this.size - mark);
  }

  put(tag: u16, value: Bytes): void {
    const mark = this.open(tag);
    this.raw(value.at, value.size);
    this.close(mark);
  }

  putText(tag: u16, value: string): void {
    const mark = this.open(tag);
    this.text(value);
    this.close(mark);
  }

  putNumber(tag: u16, n: u32): void {
    const mark = this.open(tag);
    const raw = new StaticArray<u32>(1);
    raw[0] = n;
    this.raw(changetype<usize>(raw), 4);
    this.close(mark);
  }
}

// Bytes are a piece of the call's document.
class Bytes {
  constructor(public at: usize = 0, public size: i32 = 0) {}

  number(): u32 {
    return this.size == 4 ? load<u32>(this.at) : 0;
  }

  is(text: string): bool {
    const b = String.UTF8.encode(text);
    return b.byteLength == this.size && memory.compare(changetype<usize>(b), this.at, this.size) == 0;
  }
}

// read sorts a document's fields by their tags 1 to n. list is a tag that may come more often, and is not kept; 0: none. null: the
// document is to be refused, because it is cut short, has a field twice, or one that must be known and is not.
function read(doc: Bytes, n: i32, list: u16): Bytes[] | null {
  const fields: Bytes[] = [];
  for (let i = 0; i <= n; i++) fields.push(new Bytes());
  let seen: u32 = 0;
  let at = doc.at;
  const end = doc.at + doc.size;
  while (at < end) {
    if (end - at < 6) return null;
    const tag = load<u16>(at);
    const size = load<u32>(at, 2);
    at += 6;
    if (size > <u32>(end - at)) return null;
    if (tag >= 1 && <i32>tag <= n) {
      if (tag != list && (seen & (1 << tag))) return null;
      seen |= 1 << tag;
      fields[tag] = new Bytes(at, size);
    } else if (tag & 0x8000) {
      return null;
    }
    at += size;
  }
  return fields;
}

const START = 1, RESPONSE = 2;
const HTTP = 1, DONE = 4, FAIL = 5;

// step answers one call: the reply's only action.
function step(call: Bytes, action: Writer): void {
  const fields = read(call, 3, 0);
  if (fields === null) return fail(action, "the call cannot be read", 0);
  const event = read(fields[3], 9, 6);
  if (event === null) return fail(action, "the event cannot be read", 0);
  if (!fields[1].is("upper")) return fail(action, "this module has no such adapter", 0);
  switch (event[1].number()) {
    case START:
      return start(action, event[2], event[3]);
    case RESPONSE:
      return answer(action, event[5].number(), event[7]);
  }
  fail(action, "an event that was not asked for", 0);
}

function start(action: Writer, intent: Bytes, contract: Bytes): void {
  action.putNumber(1, HTTP);
  action.putText(2, "POST");
  action.putText(3, baseURL(contract) + "/upper");
  const header = action.open(4);
  action.putText(1, "Content-Type");
  action.putText(2, "application/json");
  action.close(header);
  action.put(5, intent);
}

function answer(action: Writer, status: u32, body: Bytes): void {
  if (status < 200 || status > 299) return fail(action, "the service did not do it", status);
  action.putNumber(1, DONE);
  const result = action.open(8);
  action.text('{"output":');
  action.raw(body.at, body.size);
  action.text("}");
  action.close(result);
}

function fail(action: Writer, message: string, status: u32): void {
  action.putNumber(1, FAIL);
  action.putText(10, message);
  if (status) {
    action.putNumber(11, status);
    action.putNumber(12, 1); // another service may do better
  }
}

// baseURL finds the URL in the contract, {"service_id":"...","base_url":"...",...}. The host writes it, ids have no quotes and this
// contract's URL has no escapes: a search is enough here. Adapters that read more bring a JSON reader.
function baseURL(contract: Bytes): string {
  const text = String.UTF8.decodeUnsafe(contract.at, contract.size);
  const key = '"base_url":"';
  const at = text.indexOf(key);
  if (at < 0) return "";
  return text.substring(at + key.length, text.indexOf('"', at + key.length));
}

// The exports. What a call or a reply lies in is kept here until the next call; a guest has one thread.

let callBuffer = new StaticArray<u8>(0);
let replyWriter = new Writer();

export function caio_abi_version(): i32 {
  return 1;
}

export function caio_alloc(size: i32): usize {
  callBuffer = new StaticArray<u8>(size);
  return changetype<usize>(callBuffer);
}

export function caio_describe(): u64 {
  const info = new Writer();
  info.putText(1, "upper");
  info.putText(2, "1.0.0");
  info.putText(3, "Posts the request to base_url/upper");
  return keep(1, info);
}

export function caio_step(ptr: usize, size: i32): u64 {
  const action = new Writer();
  step(new Bytes(ptr, size), action);
  return keep(2, action);
}

// keep keeps a document of one field and says where it lies.
function keep(tag: u16, fields: Writer): u64 {
  replyWriter = new Writer();
  replyWriter.put(tag, new Bytes(changetype<usize>(fields.buf), fields.size));
  return (<u64>changetype<usize>(replyWriter.buf) << 32) | replyWriter.size;
}
