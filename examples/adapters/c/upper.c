// The adapter "upper" in C, without a library: it posts the request's intent to base_url + "/upper" and hands on the JSON
// object that comes back. What the tags mean, and why a reader must refuse some of them, stands in sdk/adapter/ABI.md.

#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))

typedef struct { const uint8_t *at; size_t size; } bytes;

#define TEXT(s) ((bytes){(const uint8_t *)(s), sizeof(s) - 1})

// Memory. A call's document lies at the heap's beginning, the reply behind it; the next call begins anew.

extern uint8_t __heap_base;
static uint8_t *top; // end of what is in use

// reserve makes sure that size bytes behind top can be written. A guest that got no memory ends here: its call fails,
// the next one finds another instance.
static void reserve(size_t size) {
    size_t need = (size_t)top + size, have = __builtin_wasm_memory_size(0) * 65536;
    if (need < size || (need > have && __builtin_wasm_memory_grow(0, (need - have + 65535) / 65536) == (size_t)-1)) __builtin_trap();
}

static void append(bytes b) {
    reserve(b.size);
    for (size_t i = 0; i < b.size; i++) top[i] = b.at[i];
    top += b.size;
}

// Writing: a field is a tag of 2 bytes, a length of 4, and the value. wasm32 is little endian, as the document is.

static uint32_t *open(uint16_t tag) {
    reserve(6);
    top[0] = tag, top[1] = tag >> 8;
    top += 6;
    return (uint32_t *)(top - 4);
}

static void close(uint32_t *length) {
    uint32_t size = (uint32_t)(top - (uint8_t *)(length + 1));
    __builtin_memcpy(length, &size, sizeof size); // it need not be aligned
}

static void put(uint16_t tag, bytes value) {
    uint32_t *length = open(tag);
    append(value);
    close(length);
}

static void put_number(uint16_t tag, uint32_t n) { put(tag, (bytes){(uint8_t *)&n, sizeof n}); }

// Reading.

typedef struct { uint16_t tag; bytes value; } field;

// next takes the next field off a document: 1 there is one, 0 there is none, -1 it is longer than its document.
static int next(bytes *doc, field *f) {
    if (doc->size == 0) return 0;
    if (doc->size < 6) return -1;
    f->tag = doc->at[0] | doc->at[1] << 8;
    size_t size = doc->at[2] | doc->at[3] << 8 | doc->at[4] << 16 | (size_t)doc->at[5] << 24;
    if (size > doc->size - 6) return -1;
    f->value = (bytes){doc->at + 6, size};
    doc->at += 6 + size, doc->size -= 6 + size;
    return 1;
}

// read sorts a document's fields by their tags 1 to n; lists and what we do not need may be told by a NULL. 0: the document is to be
// refused, because it is cut short, has a field twice, or one that must be known and is not.
static int read(bytes doc, bytes *into[], int n) {
    uint32_t seen = 0;
    field f;
    int more;
    while ((more = next(&doc, &f)) == 1) {
        if (f.tag >= 1 && f.tag <= n) {
            if (!into[f.tag - 1]) continue;
            if (seen & 1u << f.tag) return 0;
            seen |= 1u << f.tag;
            *into[f.tag - 1] = f.value;
        } else if (f.tag & 0x8000) {
            return 0;
        }
    }
    return more == 0;
}

static uint32_t number(bytes b) {
    return b.size != 4 ? 0 : b.at[0] | b.at[1] << 8 | b.at[2] << 16 | (uint32_t)b.at[3] << 24;
}

static int equal(bytes a, bytes b) {
    if (a.size != b.size) return 0;
    for (size_t i = 0; i < a.size; i++)
        if (a.at[i] != b.at[i]) return 0;
    return 1;
}

// The adapter.

enum { START = 1, RESPONSE = 2 };
enum { HTTP = 1, DONE = 4, FAIL = 5 };

static void fail(bytes message, uint32_t status) {
    uint32_t *action = open(2);
    put_number(1, FAIL);
    put(10, message);
    if (status) {
        put_number(11, status);
        put_number(12, 1); // another service may do better
    }
    close(action);
}

// base_url finds the URL in the contract, {"service_id":"...","base_url":"...",...}. The host writes it, ids have no quotes and
// this contract's URL has no escapes: a search is enough here. Adapters that read more bring a JSON reader.
static bytes base_url(bytes contract) {
    bytes key = TEXT("\"base_url\":\"");
    for (size_t i = 0; i + key.size <= contract.size; i++) {
        if (!equal((bytes){contract.at + i, key.size}, key)) continue;
        bytes url = {contract.at + i + key.size, 0};
        while (url.at + url.size < contract.at + contract.size && url.at[url.size] != '"') url.size++;
        return url;
    }
    return (bytes){0, 0};
}

static void start(bytes intent, bytes contract) {
    uint32_t *action = open(2), *url, *header;
    put_number(1, HTTP);
    put(2, TEXT("POST"));
    url = open(3);
    append(base_url(contract));
    append(TEXT("/upper"));
    close(url);
    header = open(4);
    put(1, TEXT("Content-Type"));
    put(2, TEXT("application/json"));
    close(header);
    put(5, intent);
    close(action);
}

static void answer(uint32_t status, bytes body) {
    if (status < 200 || status > 299) {
        fail(TEXT("the service did not do it"), status);
        return;
    }
    uint32_t *action = open(2), *result;
    put_number(1, DONE);
    result = open(8);
    append(TEXT("{\"output\":"));
    append(body);
    append(TEXT("}"));
    close(result);
    close(action);
}

static void step(bytes call) {
    bytes name = {0, 0}, state, event = {0, 0};
    if (!read(call, (bytes *[]){&name, &state, &event}, 3)) {
        fail(TEXT("the call cannot be read"), 0);
        return;
    }
    bytes kind = {0, 0}, intent = {0, 0}, contract = {0, 0}, stream, status = {0, 0}, body = {0, 0}, frame, data;
    if (!read(event, (bytes *[]){&kind, &intent, &contract, &stream, &status, NULL, &body, &frame, &data}, 9)) {
        fail(TEXT("the event cannot be read"), 0);
    } else if (!equal(name, TEXT("upper"))) {
        fail(TEXT("this module has no such adapter"), 0);
    } else if (number(kind) == START) {
        start(intent, contract);
    } else if (number(kind) == RESPONSE) {
        answer(number(status), body);
    } else {
        fail(TEXT("an event that was not asked for"), 0);
    }
}

// The exports.

EXPORT("caio_abi_version") int32_t abi_version(void) { return 1; }

EXPORT("caio_alloc") uint8_t *alloc(uint32_t size) {
    top = &__heap_base;
    reserve(size);
    return top;
}

static uint64_t reply(uint8_t *from) { return (uint64_t)(uintptr_t)from << 32 | (uint32_t)(top - from); }

EXPORT("caio_describe") uint64_t describe(void) {
    top = &__heap_base;
    uint32_t *adapter = open(1);
    put(1, TEXT("upper"));
    put(2, TEXT("1.0.0"));
    put(3, TEXT("Posts the request to base_url/upper"));
    close(adapter);
    return reply(&__heap_base);
}

EXPORT("caio_step") uint64_t caio_step(const uint8_t *call, uint32_t size) {
    uint8_t *from = top = (uint8_t *)call + size;
    step((bytes){call, size});
    return reply(from);
}
