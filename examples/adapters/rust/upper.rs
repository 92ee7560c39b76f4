//! The adapter "upper" in Rust, with the standard library alone: it posts the request's intent to base_url + "/upper" and hands
//! on the JSON object that comes back. What the tags mean, and why a reader must refuse some of them, stands in
//! sdk/adapter/ABI.md.

/// Writes fields: a tag of 2 bytes, a length of 4, and the value.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn put(&mut self, tag: u16, value: &[u8]) {
        self.0.extend_from_slice(&tag.to_le_bytes());
        self.0.extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.0.extend_from_slice(value);
    }

    fn number(&mut self, tag: u16, n: u32) {
        self.put(tag, &n.to_le_bytes());
    }
}

/// Takes a document apart into the fields 1 to N; what is in `lists` may come more often, and is not kept. None: the document is to
/// be refused, because it is cut short, has a field twice, or one that must be known and is not.
fn read<'a, const N: usize>(mut doc: &'a [u8], lists: &[u16]) -> Option<[&'a [u8]; N]> {
    let mut fields = [&[][..]; N];
    let mut seen = [false; N];
    while !doc.is_empty() {
        if doc.len() < 6 {
            return None;
        }
        let (head, rest) = doc.split_at(6);
        let tag = u16::from_le_bytes([head[0], head[1]]);
        let size = u32::from_le_bytes([head[2], head[3], head[4], head[5]]) as usize;
        if size > rest.len() {
            return None;
        }
        let (value, rest) = rest.split_at(size);
        doc = rest;
        if lists.contains(&tag) {
            continue;
        }
        if tag >= 1 && tag as usize <= N {
            let at = tag as usize - 1;
            if seen[at] {
                return None;
            }
            seen[at] = true;
            fields[at] = value;
        } else if tag & 0x8000 != 0 {
            return None;
        }
    }
    Some(fields)
}

fn number(value: &[u8]) -> u32 {
    match value {
        [a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
        _ => 0,
    }
}

const START: u32 = 1;
const RESPONSE: u32 = 2;
const HTTP: u32 = 1;
const DONE: u32 = 4;
const FAIL: u32 = 5;

/// Answers one call: the reply's only action.
fn step(call: &[u8]) -> Writer {
    let [name, _state, event] = match read::<3>(call, &[]) {
        Some(fields) => fields,
        None => return fail("the call cannot be read", 0),
    };
    let [kind, intent, contract, _stream, status, _headers, body, _frame, _data] = match read::<9>(event, &[6]) {
        Some(fields) => fields,
        None => return fail("the event cannot be read", 0),
    };
    match (name, number(kind)) {
        (b"upper", START) => start(intent, contract),
        (b"upper", RESPONSE) => answer(number(status), body),
        (b"upper", _) => fail("an event that was not asked for", 0),
        _ => fail("this module has no such adapter", 0),
    }
}

fn start(intent: &[u8], contract: &[u8]) -> Writer {
    let mut header = Writer::default();
    header.put(1, b"Content-Type");
    header.put(2, b"application/json");
    let mut action = Writer::default();
    action.number(1, HTTP);
    action.put(2, b"POST");
    action.put(3, &[base_url(contract), b"/upper"].concat());
    action.put(4, &header.0);
    action.put(5, intent);
    action
}

fn answer(status: u32, body: &[u8]) -> Writer {
    if !(200..300).contains(&status) {
        return fail("the service did not do it", status);
    }
    let mut action = Writer::default();
    action.number(1, DONE);
    action.put(8, &[b"{\"output\":", body, b"}"].concat());
    action
}

fn fail(message: &str, status: u32) -> Writer {
    let mut action = Writer::default();
    action.number(1, FAIL);
    action.put(10, message.as_bytes());
    if status != 0 {
        action.number(11, status);
        action.number(12, 1); // another service may do better
    }
    action
}

/// Finds the URL in the contract, {"service_id":"...","base_url":"...",...}. The host writes it, ids have no quotes and this
/// contract's URL has no escapes: a search is enough here. Adapters that read more bring a JSON reader.
fn base_url(contract: &[u8]) -> &[u8] {
    let key = b"\"base_url\":\"";
    match contract.windows(key.len()).position(|w| w == key) {
        Some(at) => contract[at + key.len()..].split(|&c| c == b'"').next().unwrap_or(b""),
        None => b"",
    }
}

// The exports. What a call or a reply lies in is kept here until the next call; a guest has one thread.

static mut CALL: Vec<u8> = Vec::new();
static mut REPLY: Vec<u8> = Vec::new();

#[no_mangle]
pub extern "C" fn caio_abi_version() -> i32 {
    1
}

#[no_mangle]
pub unsafe extern "C" fn caio_alloc(size: u32) -> *mut u8 {
    let call = &mut *std::ptr::addr_of_mut!(CALL);
    *call = vec![0; size as usize];
    call.as_mut_ptr()
}

#[no_mangle]
pub unsafe extern "C" fn caio_describe() -> u64 {
    let mut info = Writer::default();
    info.put(1, b"upper");
    info.put(2, b"1.0.0");
    info.put(3, b"Posts the request to base_url/upper");
    keep(1, &info)
}

#[no_mangle]
pub unsafe extern "C" fn caio_step(ptr: *const u8, size: u32) -> u64 {
    keep(2, &step(std::slice::from_raw_parts(ptr, size as usize)))
}

/// Keeps a document of one field and says where it lies.
unsafe fn keep(tag: u16, fields: &Writer) -> u64 {
    let mut doc = Writer::default();
    doc.put(tag, &fields.0);
    let place = (doc.0.as_ptr() as u64) << 32 | doc.0.len() as u64;
    REPLY = doc.0;
    place
}
