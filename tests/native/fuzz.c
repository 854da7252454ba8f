/* fuzz TARGET ROUNDS SEED: feeds random input to one part of the plugin's C. Exits with 0, with 4 if a promise of
   davfs.h is broken, with 5 if memory has leaked, or as the sanitizers do. */

#include "fuzz.h"

#include <pthread.h>
#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int32_t OrthancPluginInitialize(OrthancPluginContext* context);
void OrthancPluginFinalize(void);

static const char* const JSON[] = {"{", "}", "[", "]", "\"", "\\", "\\u", "d834", "\\udd1e", "\\u0000", "\\n", ":", ",",
                                   " ", "\n", "\"Davfs\"", "\"Python\"", "\"Uri\"", "\"/usr/bin/true\"", "1.5", "null",
                                   "{\"Davfs\":{\"Python\":\"", "{\"Davfs\" : {\"Uri\":\"/davfs", "\"}}",
                                   "\xc3\xa9", NULL};
static const char* const URIS[] = {"/", "//", ".", "..", "davfs", "drive", "/davfs", "a b", "%2e", "\xc3\xa9", NULL};
static const char* const HEADERS[] = {"depth", "Depth", "authorization", "Authorization", "host", "", NULL};
static const char* const VALUES[] = {"0", "1", "infinity", "Basic ", "basic  ", "Digest ", "\xff", NULL};
#define A_33 "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh" /* 33 times the letter a */
static const char* const BASE64[] = {A_33, A_33 A_33 A_33 A_33 A_33, "YWFh", "/+8A", "YTpi", "Og==", "=", " ", NULL};
static const char* const NAMES[] = {"a", "/", ".", "DOE JOHN", "1.dcm", "\xc3\xa9", NULL};

#define MOST 6

static uint32_t some(char* made[MOST], const char* const* pieces, uint32_t most)
{
  uint32_t count = below(MOST + 1);
  for (uint32_t i = 0; i < count; i++)
  {
    made[i] = joined(pieces, most);
  }
  return count;
}

static void json(void)
{
  const char* text = joined(JSON, 24);
  size_t size = 1 + below(48);
  char* value = malloc(size);
  int found = davfs_json_string(text, "Davfs", below(2) ? "Python" : "Uri", value, size);
  PROMISED(found >= -1 && found <= 1 && (found != 1 || strlen(value) < size));
  free(value);
}

static const char* credentials(void)
{
  char text[6100];
  size_t size = (size_t) snprintf(text, sizeof(text), "%s%s", below(8) ? "Basic " : "basic   ", joined(BASE64, 20));
  return copied(text, size + 1);
}

static void request(void)
{
  const char *keys[MOST], *values[MOST];
  uint32_t count = below(MOST + 1);
  for (uint32_t i = 0; i < count; i++)
  {
    keys[i] = joined(HEADERS, 1);
    values[i] = below(2) ? credentials() : joined(VALUES, 3);
  }
  if (below(100) == 0)
  {
    davfs_register_filter(joined(URIS, 80));
  }
  registered_filter((OrthancPluginHttpMethod) (1 + below(4)), joined(URIS, 8), below(9) ? "127.0.0.1" : bytes(100), count, keys, values, 0,
                    NULL, NULL);
  const char* user = davfs_this_request()->user;
  PROMISED(strlen(user) < sizeof(davfs_this_request()->user));
  davfs_add_read(davfs_this_request(), bytes(100), below(1000));
}

/* Packs fields, each with its NUL; returns the size. */
static size_t packed(char* out, const char* kinds)
{
  size_t size = 0;
  for (; *kinds != '\0'; kinds++)
  {
    const char* field = *kinds == 'n' ? joined(NAMES, 4) : *kinds == '#' ? "18446744073709551615" : bytes(60);
    size += (size_t) sprintf(out + size, "%s", field) + 1;
  }
  return size;
}

static void recent(void)
{
  char text[4000], *path[MOST];
  size_t size = 0;
  uint64_t since = davfs_recent_generation() - (below(8) == 0);
  for (uint32_t files = below(4); files > 0; files--)
  {
    size += packed(text + size, "nbb");
  }
  davfs_add_recent(since, below(3) ? "" : joined(NAMES, 3), copied(text, size), size);
  uint32_t depth = some(path, NAMES, 4);
  davfs_request asked = {.segments = depth, .path = (const char* const*) path, .retrieve = fake_retrieve};
  davfs_set_trash(below(2));
  davfs_follow_log();
  davfs_send_recent(&asked);
  if (size > 0) /* a file that is remembered, most of the time */
  {
    const char* known = copied(text, strlen(text) + 1);
    asked.segments = 1;
    asked.path = &known;
    davfs_send_recent(&asked);
  }
  if (below(20) == 0)
  {
    davfs_clear_recent();
  }
}

static void changes(void)
{
  davfs_change change;
  for (uint32_t i = below(6); i > 0; i--)
  {
    const char* id = below(5) ? bytes(100) : NULL;
    davfs_add_change(below(2) ? OrthancPluginChangeType_Deleted : OrthancPluginChangeType_NewInstance, id);
  }
  for (uint32_t i = below(6); i > 0 && davfs_next_change(&change, 0); i--)
  {
    PROMISED(strlen(change.id) < sizeof(change.id));
  }
}

/* No more come out than went in, and all of them if the queue is emptied. */
static void reads(void)
{
  static uint64_t came = 0, taken = 0;
  davfs_read some[4];
  int is_open = below(20) != 0, number;
  (is_open ? davfs_open_reads : davfs_close_reads)();
  for (uint32_t i = below(4) + (below(2000) == 0 ? 9000 : 0); i > 0; i--, came += (uint64_t) is_open)
  {
    davfs_add_read(davfs_this_request(), below(2) ? "" : "0123456789-0123456789-0123456789-0123456789-0123456789", i);
  }
  int all = below(100) == 0;
  do
  {
    number = davfs_take_reads(some, 4, 0);
    PROMISED(number >= 0 && number <= 4);
    for (int i = 0; i < number; i++)
    {
      PROMISED(strlen(some[i].instance) < sizeof(some[i].instance));
    }
    taken += (uint64_t) number;
  } while (all && number > 0);
  taken += davfs_lost_reads();
  PROMISED(taken <= came && (!all || taken == came));
}

/* A DICOM file, most of the time: it has elements in any order and of any length, in sequences that may not end. */
static size_t dicom_file(char* out)
{
  static const char* const elements[] = {
    "\x10\0\x20\0LO\4\0ab  ", "\x20\0\x0d\0UI\4\0001.2\0", "\x20\0\x0e\0UI\4\0001.3\0", "\x08\0\x16\0SQ\0\0\xff\xff\xff\xff",
    "\x08\0\x16\0UN\0\0\xff\xff\xff\xff", "\xfe\xff\0\xe0\xff\xff\xff\xff", "\xfe\xff\x0d\xe0\0\0\0\0",
    "\xfe\xff\xdd\xe0\0\0\0\0", "\x10\0\x20\0\4\0\0\0ab  ", "\x20\0\x0d\0\xff\xff\xff\xff", "\x20\0\x0d\0UI\xff\xff1.2\0"};
  static const size_t sizes[] = {12, 12, 12, 12, 12, 8, 8, 8, 12, 8, 12};
  static const char meta[] = "\2\0\x10\0UI\x14\0001.2.840.10008.1.2.1\0";
  static const char implicit[] = "\2\0\x10\0UI\x12\0001.2.840.10008.1.2\0\0";
  size_t size = 132;
  memset(out, 0, size);
  memcpy(out + 128, below(20) ? "DICM" : "DICK", 4);
  const char* syntax = below(2) ? meta : implicit;
  size_t length = syntax == meta ? sizeof(meta) - 1 : sizeof(implicit) - 1;
  memcpy(out + size, syntax, length);
  size += length;
  for (uint32_t left = below(12); left > 0; left--)
  {
    uint32_t which = below(sizeof(sizes) / sizeof(*sizes));
    memcpy(out + size, elements[which], sizes[which]);
    size += sizes[which];
  }
  for (uint32_t left = below(3); left > 0; left--)
  {
    out[below((uint32_t) size)] = (char) below(256);
  }
  return below(4) ? size : below((uint32_t) size);
}

/* A DICOM file of one of three series. */
static size_t file_of_series(char* out)
{
  static const char elements[] = "\2\0\x10\0UI\x14\0001.2.840.10008.1.2.1\0\x10\0\x20\0LO\4\0ab  "
                                 "\x20\0\x0d\0UI\4\0001.2\0\x20\0\x0e\0UI\4\0001.3\0";
  memset(out, 0, 128);
  memcpy(out + 128, "DICM", 4);
  memcpy(out + 132, elements, sizeof(elements) - 1);
  size_t size = 132 + sizeof(elements) - 1;
  out[size - 2] = (char) ('3' + below(3));
  return size;
}

/* Counts all, in the order in which they came, and loses none while there is room. */
static void arrivals(void)
{
  static uint32_t came = 0, taken = 0;
  davfs_arrival arrival;
  char text[1000];
  if (registered_stored == NULL)
  {
    davfs_register_arrivals();
    davfs_open_arrivals();
  }
  for (uint32_t i = below(6); i > 0; i--, came++)
  {
    fake_instance stored = {.json = below(5) ? NULL : bytes(300), .origin = (OrthancPluginInstanceOrigin) (1 + below(2))};
    stored.size = below(2) ? dicom_file(text) : file_of_series(text);
    stored.data = copied(text, stored.size);
    char id[80];
    snprintf(id, sizeof(id), "%u-%s", came, bytes(60)); /* one that comes again is not counted */
    PROMISED(registered_stored((const OrthancPluginDicomInstance*) &stored, copied(id, strlen(id) + 1)) == 0);
  }
  for (uint32_t i = below(6); i > 0 && davfs_take_arrival(&arrival, 0); i--, taken += arrival.instances)
  {
    PROMISED(arrival.instances > 0 && strlen(arrival.user) < sizeof(arrival.user));
  }
  taken += (uint32_t) davfs_lost_arrivals();
  PROMISED(taken <= came);
  if (below(100) == 0)
  {
    for (; davfs_take_arrival(&arrival, 0); taken += arrival.instances)
    {
    }
    PROMISED(taken == came);
  }
}

static void* call_back(void* nothing)
{
  char* path[MOST];
  uint8_t answers[] = {2, 2, 2, 2, 2};
  uint32_t depth = some(path, NAMES, 3);
  const char* const* segments = copied(path, depth * sizeof(*path));
  const char* data = bytes(500);
  registered_collection.isExistingFolder(&answers[0], depth, segments, NULL);
  registered_collection.listFolder(&answers[1], NULL, fake_add_file, fake_add_folder, depth, segments, NULL);
  registered_collection.retrieveFile(NULL, fake_retrieve, depth, segments, NULL);
  registered_collection.storeFile(&answers[2], depth, segments, data, strlen(data), NULL);
  registered_collection.createFolder(&answers[3], depth, segments, NULL);
  registered_collection.deleteItem(&answers[4], depth, segments, NULL);
  for (size_t i = 0; i < sizeof(answers); i++)
  {
    PROMISED(answers[i] < 2);
  }
  return nothing;
}

/* A response is taken once, and for its own path and kind alone; the last one that was kept counts. */
static void responses(void)
{
  char* names[MOST];
  char* others[MOST];
  uint32_t depth = some(names, NAMES, 3), other_depth = some(others, NAMES, 3);
  const char* const* path = copied(names, depth * sizeof(*names));
  const char* const* other = copied(others, other_depth * sizeof(*others));
  int same = depth == other_depth;
  for (uint32_t i = 0; same && i < depth; i++)
  {
    same = strcmp(path[i], other[i]) == 0;
  }
  const char* packed = copied("Dname\0date", 11);
  int kind = (int) below(2);
  davfs_request request = {.segments = other_depth, .path = other};
  davfs_keep_response(&request, kind, 0, packed, 0);
  request.segments = depth, request.path = path;
  davfs_keep_response(&request, kind, 0, packed, 11);
  request.segments = other_depth, request.path = other;
  davfs_response* taken = davfs_take_response(&request, kind);
  PROMISED((taken != NULL) == same && (taken == NULL || taken->size == 11));
  free(taken);
  PROMISED(davfs_take_response(&request, kind) == NULL);
  davfs_keep_response(&request, kind, 0, packed, 11);
  PROMISED(davfs_take_response(&request, !kind) == NULL);
  davfs_keep_response(&request, kind, 0, packed, 11);
  davfs_clear_request(&request);
  PROMISED(davfs_take_response(&request, kind) == NULL);
}

/* Orthanc's HTTP threads come and go. */
static void callbacks(void)
{
  pthread_t thread;
  (below(20) ? davfs_open_callbacks : davfs_close_callbacks)();
  if (below(20) == 0 && pthread_create(&thread, NULL, call_back, NULL) == 0)
  {
    pthread_join(thread, NULL);
    return;
  }
  call_back(NULL);
}

static void entries(void)
{
  char text[6000];
  size_t size = 0;
  for (uint32_t i = below(12); i > 0; i--)
  {
    int is_folder = below(2) == 0;
    text[size++] = is_folder ? 'D' : 'F';
    size += packed(text + size, is_folder ? "nb" : "nb#b");
  }
  davfs_request request = {.add_file = fake_add_file, .add_folder = fake_add_folder, .retrieve = fake_retrieve};
  davfs_add_entries(&request, copied(text, size), size);
  uint64_t zeros = below(200) ? below(1u << 20) : (1u << 26) + below(1u << 20);
  size = (size_t) sprintf(text, "Fname%cdate%c%llu%cmime", 0, 0, (unsigned long long) zeros, 0) + 1;
  davfs_send_file_size(&request, copied(text, size));
  davfs_send_file(&request, NULL, 0, "", "");
}

static void core(void)
{
  OrthancPluginMemoryBuffer buffer;
  const char* text = bytes(200);
  (below(20) ? davfs_open_core : davfs_refuse_calls)();
  if (davfs_get(&buffer, text) == 0)
  {
    davfs_free(&buffer);
  }
  if (davfs_post(&buffer, text, text, (uint32_t) strlen(text)) == 0)
  {
    davfs_free(&buffer);
  }
  if (davfs_get_file(&buffer, text) == 0)
  {
    davfs_free(&buffer);
  }
  davfs_transcode(&buffer, text, (uint32_t) strlen(text), "1.2.840.10008.1.2.1");
  davfs_delete(text);
  OrthancPluginMemoryBuffer headers;
  uint16_t status;
  if (davfs_call(&buffer, &headers, &status, (int) below(4), text, below(2) ? text : NULL, text, (uint32_t) strlen(text)) == 0)
  {
    davfs_free(&headers);
    davfs_free(&buffer);
  }
  davfs_log((int) below(4), text);
  PROMISED(davfs_describe(DAVFS_STOPPED) != NULL && davfs_describe((int) below(3000)) != NULL);
  PROMISED(davfs_close_core(1) == 1);
  davfs_open_core();
}

/* A program in Python's place: it writes its last argument and fails, writes it and succeeds, or cannot be started. */
static void check(void)
{
  static const char* const pythons[] = {"/bin/echo", "/bin/false", "/nowhere/python3", "/bin/ls"};
  size_t size = 1 + below(600);
  char* reason = malloc(size);
  int code = davfs_check_configuration(pythons[below(4)], joined(JSON, 100), bytes(3000), reason, size);
  PROMISED((code == 0 || code == -1) && strlen(reason) < size);
  free(reason);
}

static void plugin(void)
{
  fake_configuration = joined(JSON, 24);
  if (OrthancPluginInitialize(&fake_core) == 0)
  {
    registered_change(OrthancPluginChangeType_OrthancStarted, 0, NULL);
    callbacks();
    registered_change(OrthancPluginChangeType_OrthancStopped, 0, NULL);
  }
  OrthancPluginFinalize();
}

static const struct
{
  const char* name;
  void (*round)(void);
} TARGETS[] = {{"json", json},       {"request", request},   {"recent", recent},           {"changes", changes},
               {"reads", reads},     {"arrivals", arrivals}, {"callbacks", callbacks},     {"entries", entries},
               {"core", core},       {"check", check},       {"plugin", plugin},           {"responses", responses},
               {"names", fuzz_names}, {"scan", fuzz_scan},   {"identities", fuzz_identities},
               {"quarantine", fuzz_quarantine}};

static void start(void)
{
  davfs_open_context(&fake_core);
  davfs_open_core();
  davfs_open_changes();
  davfs_register_callbacks("/davfs", "/davfs/drive");
}

int main(int count, char** arguments)
{
  for (size_t i = 0; count == 4 && i < sizeof(TARGETS) / sizeof(*TARGETS); i++)
  {
    if (strcmp(TARGETS[i].name, arguments[1]) == 0)
    {
      start();
      seed(strtoull(arguments[3], NULL, 10));
      for (unsigned long left = strtoul(arguments[2], NULL, 10); left > 0; left--)
      {
        TARGETS[i].round();
        release();
      }
      puts("done");
      fflush(stdout);
      _exit(__lsan_do_recoverable_leak_check() ? 5 : 0); /* the plugin may have asked for another code */
    }
  }
  return 2;
}
