/* The functions of libOrthancDavfs, by file. Each file calls files below it only:

   plugin.c                                        entry points of the plugin; start and stop
   configuration_check.c  json.c  interpreter.c    configuration; start of Python
   webdav_callbacks.c                              the six callbacks; davfs/sdk/callbacks.py describes the round trip
   request_filter.c  python_threads.c              before a callback; from Orthanc's threads to Python's
   change_queue.c  arrivals.c                      from Orthanc's callbacks of changes and of stored instances to Python
   sent_again.c                                    instances that may be in the trash and were sent again, to Python
   quarantine.c                                    filters of arriving instances: does an identity contradict the archive's?
   quarantine_queue.c                              instances that were held, from the filters to Python
   identity_table.c  identity_reader.c             identities in the archive, by PatientID; identity of an arriving instance
   identity_comparison.c  identity_name.c          do identities contradict each other?; which parts of a name are compared
   identity_scanner.c  identity_hash.c             reads a file's attributes; Orthanc's identifier of a study
   identity_character.c                            what the characters of names are compared as
   recent_files.c                                  cache of files that are sent without Python
   read_queue.c                                    the reads of these files, for the audit trail
   request.c  send.cc                              record of a request; sends entries and files to Orthanc
   core.cc  guarded.hh                             calls into Orthanc's core; C++, since the core may throw

   It is C because Orthanc calls it before Python runs, on a thread where Python must not wait or has too small a stack, or once
   for each request or entry. */

#pragma once

#include <orthanc/OrthancCPlugin.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* core.cc: calls into Orthanc's core, from any thread. They return an OrthancPluginErrorCode, or DAVFS_STOPPED while Orthanc
   is stopping. What only needs the plugin's context works until the plugin is finalized, and does nothing then. */
#define DAVFS_STOPPED (-2)
#define DAVFS_ERROR 2
#define DAVFS_WARNING 1
#define DAVFS_INFO 0
extern OrthancPluginContext* davfs_context; /* set by davfs_open_context, never cleared */
void davfs_open_context(OrthancPluginContext* context);
/* Returns 1, or 0 if a call is still under way after so many milliseconds; like davfs_close_core. */
int davfs_close_context(int milliseconds);
void davfs_open_core(void);
/* Refuses new calls, without waiting for those under way. */
void davfs_refuse_calls(void);
/* Refuses new calls, and waits for those under way. */
int davfs_close_core(int milliseconds);
/* Returns 1 once Orthanc has begun to stop, which is before it informs plugins: POST and DELETE are refused from then on. */
int davfs_is_stopping(void);
int davfs_get(OrthancPluginMemoryBuffer* response, const char* path);
int davfs_post(OrthancPluginMemoryBuffer* response, const char* path, const void* body, uint32_t size);
int davfs_delete(const char* path);
/* Sends a request with the method OrthancPluginHttpMethod_… and, unless it is NULL, the header If-Match. Returns Success for
   each response; its status is in `status`, its headers are a JSON object. */
int davfs_call(OrthancPluginMemoryBuffer* response, OrthancPluginMemoryBuffer* headers, uint16_t* status, int method,
               const char* path, const char* match, const void* body, uint32_t size);
int davfs_get_file(OrthancPluginMemoryBuffer* file, const char* instance);
/* Converts a DICOM file, which need not be stored in Orthanc, to another transfer syntax. */
int davfs_transcode(OrthancPluginMemoryBuffer* file, const void* content, uint32_t size, const char* syntax);
void davfs_free(OrthancPluginMemoryBuffer* buffer);
/* Returns 1 on a thread that is in davfs_post(): what Orthanc stores on it is an import of the drive's. */
int davfs_is_import(void);
/* Of an instance that Orthanc passes to a callback, and valid until its end; NULL if it cannot be had. The JSON is freed by davfs_free_text(). */
const void* davfs_instance_data(const OrthancPluginDicomInstance* instance, size_t* size);
char* davfs_instance_json(const OrthancPluginDicomInstance* instance);
void davfs_free_text(char* text);
int davfs_instance_origin(const OrthancPluginDicomInstance* instance);
/* "" if there is none of this name: only of an instance that is stored. */
const char* davfs_instance_metadata(const OrthancPluginDicomInstance* instance, const char* name);
const char* davfs_instance_sender(const OrthancPluginDicomInstance* instance);
/* NULL for an unknown code. */
const char* davfs_describe(int code);
void davfs_log(int severity, const char* line);

/* configuration_check.c: has the configured Python check the configuration (JSON) of this path. Returns 0, or -1 with one
   sentence in `reason`. */
int davfs_check_configuration(const char* python, const char* configuration, const char* path, char* reason, size_t size);

/* json.c: copies the string at the keys `outer`, `inner` of a JSON object into `value`.
   Returns 1 if it is there, 0 if not, -1 if it is no string or does not fit. */
int davfs_json_string(const char* json, const char* outer, const char* inner, char* value, size_t size);

/* Copies the string at a key of the object itself; as davfs_json_string(). */
int davfs_json_own_string(const char* json, const char* key, char* value, size_t size);
/* Returns 1 if the value at the keys `outer`, `middle`, `inner` is true. */
int davfs_json_true(const char* json, const char* outer, const char* middle, const char* inner);

/* interpreter.c: starts Python, or joins the interpreter that is running, and calls davfs.running.plugin.start().
   Returns 0, or -1 with one sentence in `reason`. */
int davfs_start_python(const char* python, char* reason, size_t size);
/* Calls davfs.running.plugin.stop(), on a thread of its own, since Python's lock may be held for ever. Returns 1, or 0 if it
   has not ended after so many milliseconds. */
int davfs_stop_python(int milliseconds);
/* Defined next to cffi's generated code, where the static cffi_start_python() is. */
int davfs_start_cffi(void);

/* request.c: the record of one request at Orthanc's port. Each HTTP thread of Orthanc has one. */
typedef struct davfs_response davfs_response;
typedef struct davfs_request
{
  /* From the request filter: */
  char user[128];   /* name of HTTP Basic, "" for none */
  int has_depth;    /* a Depth header came: a PROPFIND, as far as can be known */
  int depth;        /* its value; -1 for anything but 0 and 1 */
  char address[48]; /* IP address of the client, or of the last proxy */
  char agent[128];  /* User-Agent header, "" for none */
  uint64_t upload;  /* bytes of the body of POST /instances; 0 for all else, and if it is compressed or not announced */
  /* The arguments of the callback that is running, as far as it has them: */
  uint32_t segments; /* of the path */
  const char* const* path;
  uint8_t* result;
  OrthancPluginWebDavCollection* collection;
  OrthancPluginWebDavAddFile add_file;
  OrthancPluginWebDavAddFolder add_folder;
  OrthancPluginWebDavRetrieveFile retrieve;
  const void* data;
  uint64_t size;
  /* The response to the second callback of a PROPFIND, which Python gave in the first one; NULL for none. */
  davfs_response* response;
} davfs_request;

struct davfs_response
{
  int is_folder;
  int code;      /* OrthancPluginErrorCode: the request is refused if it is not Success */
  size_t size;   /* of the packed entries */
  size_t length; /* of the path behind them: each of its segments with its NUL */
  char bytes[];
};

/* Returns the record of this thread. */
davfs_request* davfs_this_request(void);
/* Empties a record: for the thread's next request, and when the thread ends (python_threads.c). */
void davfs_clear_request(davfs_request* request);
/* Keeps a copy of the response to the second callback: the entries of a folder, or the one entry of a file, packed for
   davfs_add_entries(). Does nothing if there is no memory; Python answers the second callback then. */
void davfs_keep_response(davfs_request* request, int is_folder, int code, const char* packed, size_t size);
/* Takes the response out of the record; the caller frees it. Returns NULL if none was kept for this path. */
davfs_response* davfs_take_response(davfs_request* request, int is_folder);

/* The request to another URI than the drive's that this thread answers: who may be storing an instance. */
typedef struct
{
  char user[128];
  char address[48];
  int is_upload;   /* POST or PUT: the other fields are empty if not */
  int is_dicomweb; /* STOW-RS (DICOM PS3.18), as far as the URI tells */
} davfs_uploader;
davfs_uploader* davfs_this_uploader(void);

/* request_filter.c: registers the request filter for a collection at this URI. */
void davfs_register_filter(const char* outer);

/* change_queue.c: the queue between Orthanc's change callback and Python. */
typedef struct
{
  int kind;     /* OrthancPluginChangeType, or one of DAVFS_CHANGES_… */
  char id[64];  /* Orthanc's identifier, "" for none */
} davfs_change;

#define DAVFS_CHANGES_LOST (-1)  /* the queue was full: any number is missing */
#define DAVFS_CHANGES_OTHER (-2) /* any number of resources have come or changed */

void davfs_open_changes(void);
void davfs_add_change(OrthancPluginChangeType kind, const char* id);
/* Waits for the next deletion or start, oldest first. Returns 1 with a change, 0 if none came for so many milliseconds, or if
   the queue is closed. */
int davfs_next_change(davfs_change* change, int milliseconds);
void davfs_close_changes(void);

/* arrivals.c: the instances that came to Orthanc and not through the drive, by series and origin. */
typedef struct
{
  int64_t time;        /* of the last one: seconds since the epoch */
  uint32_t instances;  /* how many */
  int origin;          /* OrthancPluginInstanceOrigin */
  int is_dicomweb;
  char title[20];      /* AE title of the sender, "" for none */
  char address[48];
  char user[128];
  char patient[264];   /* PatientID, StudyInstanceUID and SeriesInstanceUID; "" if the file could not be read */
  char study[68];
  char series[68];
  char instance[48];   /* Orthanc's identifier of the first one */
} davfs_arrival;

void davfs_register_arrivals(void);
/* Takes arrivals from now on, or no longer. */
void davfs_open_arrivals(void);
void davfs_close_arrivals(void);
/* Returns 1 with the oldest arrivals if they began so many seconds ago, or if room is running out; 0 for none. */
int davfs_take_arrival(davfs_arrival* arrival, int seconds);
/* Returns how many instances there was no room for since the last call. */
uint64_t davfs_lost_arrivals(void);

/* sent_again.c: the instances that came to Orthanc, not through the drive, and that it had already or may have had. */
typedef struct
{
  char instance[48]; /* Orthanc's identifier */
} davfs_sent_again;

/* Queues them from now on; those that come before Python runs, too. */
void davfs_register_sent_again(void);
/* Ends the waiting; those that come are queued still. */
void davfs_close_sent_again(void);
/* Takes some, oldest first, and waits so many milliseconds for the first one. Returns their number. */
int davfs_take_sent_again(davfs_sent_again* taken, int most, int milliseconds);
/* Returns the number of those for which there was no room since the last call. */
uint64_t davfs_lost_sent_again(void);

/* read_queue.c: the files that recent_files.c has sent. */
typedef struct
{
  int64_t time;  /* seconds since the epoch */
  uint64_t size; /* bytes */
  char instance[48];
  char user[128];
  char address[48];
  char agent[128];
} davfs_read;

void davfs_open_reads(void);
void davfs_close_reads(void);
void davfs_add_read(const davfs_request* request, const char* instance, uint64_t size);
/* Takes so many reads at most, oldest first; waits so many milliseconds for the first one. Returns their number. */
int davfs_take_reads(davfs_read* reads, int most, int milliseconds);
/* Returns how many there was no room for since the last call. */
uint64_t davfs_lost_reads(void);

/* python_threads.c: calls a function with the record on a thread with an ordinary stack, always the same one for this thread,
   and waits. Returns its result, or OrthancPluginErrorCode_DatabaseUnavailable if the thread cannot be started. */
int davfs_call_on_python_thread(int (*function)(davfs_request*), davfs_request* request);

/* webdav_callbacks.c: registers the six callbacks at both URIs; they answer 503 until they are opened. Returns 0, or an
   OrthancPluginErrorCode. */
int davfs_register_callbacks(const char* outer, const char* inner);
void davfs_open_callbacks(void);
/* Refuses new callbacks. Those that are running go on, but make no call into the core once that is closed, and Orthanc's
   HTTP server waits for them. */
void davfs_close_callbacks(void);

/* send.cc: sends the entries of a folder, packed as "D" name NUL date NUL, or "F" name NUL date NUL size NUL mime NUL.
   Logs how many of them Orthanc refuses. */
void davfs_add_entries(const davfs_request* request, const char* packed, size_t size);
/* Send a file; or zeros of the size in its packed entry, which Orthanc counts. Return an OrthancPluginErrorCode. */
int davfs_send_file(const davfs_request* request, const void* data, uint64_t size, const char* mime, const char* date);
int davfs_send_file_size(const davfs_request* request, const char* packed);

/* recent_files.c: the cache of the files that were listed or read most recently. The generation is the number of times that it
   was cleared; files are packed as name NUL instance NUL date NUL, and their folder ends with a slash. */
uint64_t davfs_recent_generation(void);
/* Clears the cache if Orthanc's log of changes is not as it was the last time. */
void davfs_follow_log(void);
/* Whether something may be in the trash, so that the log is read before each file, and not each second. */
void davfs_set_trash(int there_is_one);
void davfs_clear_recent(void);
/* Adds files that were found in this generation; does nothing if the cache was cleared since. */
void davfs_add_recent(uint64_t generation, const char* folder, const char* packed, size_t size);
/* Sends a file that is in the cache. Returns an OrthancPluginErrorCode, or DAVFS_NOT_RECENT if Python has to answer. */
#define DAVFS_NOT_RECENT (-3)
int davfs_send_recent(const davfs_request* request);

/* identity_character.c: the characters of names. */
typedef struct
{
  uint32_t character; /* beyond ASCII */
  char folded[12];    /* what it is compared as, in UTF-8: "" for a character that is ignored, " " for one that separates */
} davfs_folding;
/* Sets what characters beyond ASCII are compared as, in ascending order; one that is not among them is compared as it is.
   Only the first call counts. */
void davfs_set_folding(const davfs_folding* ascending, size_t count);
/* Reads a character of UTF-8; a byte that is none is a character of its own. Returns its number of bytes. */
size_t davfs_read_character(const char* text, uint32_t* character);
/* Returns what a character is compared as; `own`, of 5 bytes, has the character itself, which is of `size` bytes. */
const char* davfs_fold_character(uint32_t character, char* own, size_t size);
/* Returns a number for the script of a character. */
#define DAVFS_LATIN 1
#define DAVFS_HANGUL 10
#define DAVFS_KANA 13
#define DAVFS_IDEOGRAPHS 15
uint8_t davfs_script(uint32_t character);

/* identity_name.c: the parts of a patient's name that are compared (docs/adr/0030-quarantine.md). */
/* Writes the parts of a name in UTF-8 that are compared, each as a byte for its script, one for its length, its characters, and NUL,
   with a NUL behind the last one; those that do not fit are left out. Returns the number of bytes: 1 for a name that identifies
   nobody. */
size_t davfs_fold_name(const char* name, char* parts, size_t size);
/* Returns 1 if two names have parts in a common script, and share none of them. */
int davfs_names_contradict(const char* parts, const char* others);
#define DAVFS_PARTS 640 /* bytes that the parts of a name have at most */

/* identity_scanner.c: who the patient of a DICOM file is, by its bytes alone. */
typedef struct
{
  char patient[264]; /* PatientID, without spaces around it; UTF-8 like the others, and cut if it is longer */
  char name[776];    /* PatientName */
  char birth[12];    /* PatientBirthDate: digits only, "" for none and for one that is a placeholder */
  char sex[4];       /* PatientSex: M, F, O, or "" */
  char study[68];    /* StudyInstanceUID */
  char instance[68]; /* SOPInstanceUID */
} davfs_identity;
typedef struct
{
  const char* text; /* NULL if it is not in the file */
  size_t length;
} davfs_field;
typedef struct
{
  davfs_field charset, instance, name, patient, birth, sex, study, series;
} davfs_fields;
void davfs_make_identity(davfs_identity* identity, const char* patient, const char* name, const char* birth, const char* sex);
void davfs_copy_field(char* out, size_t size, davfs_field from);
/* Finds the attributes in a file. Returns 0, or -1 if only Orthanc can: another transfer syntax, a damaged file. Even then, those
   that were found are those of the file. */
int davfs_scan_file(const void* file, size_t size, davfs_fields* found);
/* Makes an identity of attributes. Returns 0, or -1 if only Orthanc can decode their character set. */
int davfs_decode_fields(const davfs_fields* found, davfs_identity* identity);

/* identity_reader.c: reads the identity of an instance that Orthanc is about to store, with Orthanc's help where that is needed.
   Returns 0, or -1 if there is no memory. */
int davfs_read_identity(const OrthancPluginDicomInstance* instance, davfs_identity* identity);

/* identity_hash.c: Orthanc's identifier of a study: the SHA-1 of "PatientID|StudyInstanceUID". */
#define DAVFS_STUDY 20 /* bytes */
void davfs_hash_study(const char* patient, const char* study, uint8_t id[DAVFS_STUDY]);
/* Reads an identifier as Orthanc writes it. Returns 0, or -1 if it is none. */
int davfs_read_hash(const char* text, uint8_t id[DAVFS_STUDY]);

/* identity_comparison.c: compares an identity with those that are known under its PatientID. */
#define DAVFS_BIRTH 1 /* attributes that contradict, as bits */
#define DAVFS_SEX 2
#define DAVFS_NAME 4
typedef struct davfs_known
{
  struct davfs_known* next;
  const char* name;
  const char* parts; /* of the name */
  int contradicts; /* the bits of the attributes in which it contradicts the last one that it was compared with */
  char birth[12], sex[4];
} davfs_known;
/* Returns 1 if the identity, with the parts of its name, agrees with those that are known, 0 if it contradicts them. */
int davfs_agrees(davfs_known* first, const davfs_identity* given, const char* parts);
/* Packs the known identities that contradicted the last one: each as name, birth date, sex, and the bits in decimal, with a NUL behind each.
   Those that do not fit are left out. Returns the number of bytes. */
size_t davfs_pack_known(const davfs_known* first, char* out, size_t size);

/* identity_table.c: the identities of the studies in the archive, by PatientID. Thread-safe. */
#define DAVFS_ACCEPTED 2 /* let in, as a further identity of a study that the index has with another one */
#define DAVFS_LET_IN 1
#define DAVFS_HELD 0
#define DAVFS_NOT_READY (-1)
/* Sets who the patient of a study in the index is, by Orthanc's identifier of the study. */
void davfs_set_study(const char* study, const char* patient, const char* name, const char* birth, const char* sex);
void davfs_forget_study(const char* study);
/* Forgets all; the table is incomplete until davfs_complete_identities(). */
void davfs_clear_identities(void);
void davfs_complete_identities(int complete);
/* Forgets studies that were let in so many milliseconds ago, and that the index does not have. */
void davfs_settle_identities(int milliseconds);
/* Returns DAVFS_LET_IN, DAVFS_HELD or DAVFS_NOT_READY. What is let in is known from then on; of what is held, the identities
   that it contradicts are packed into `known`. */
int davfs_judge_identity(const davfs_identity* identity, char* known, size_t size, size_t* length);
/* Adds an identity to those of its study, whatever it contradicts: an administrator has accepted it. Returns DAVFS_LET_IN or
   DAVFS_ACCEPTED. */
int davfs_accept_identity(const davfs_identity* identity);
/* Adds it again after a restart, if its study is still there. */
void davfs_restore_accepted(const davfs_identity* identity);
/* Returns the number of bytes of the table. */
size_t davfs_identities_size(void);

/* quarantine_queue.c: instances that were held, until Python has written them into the inbox. */
typedef struct
{
  davfs_identity identity;
  char sender[72];    /* AE title of the sender, "" for none */
  size_t known;       /* bytes of the packed identities that it contradicts */
  size_t size;        /* bytes of the file, which stands behind them; 0 if there was no room for it */
  char bytes[];
} davfs_held;
/* Adds a copy of an instance; the file is left out if there is no room for it. Returns 1 if all was added. */
int davfs_add_held(const davfs_identity* identity, const char* sender, const char* known, size_t length, const void* file,
                   size_t size);
/* Waits for the next one, oldest first. Returns NULL if none came for so many milliseconds; the caller frees it. */
davfs_held* davfs_next_held(int milliseconds);
void davfs_free_held(davfs_held* held);
/* Returns how many were not added, for there was no room, since the last call. */
int davfs_lost_held(void);

/* quarantine.c: registers the filters of arriving instances. */
void davfs_register_quarantine(void);
/* Called once it is known that no other plugin can have a filter of C-STORE, and nothing changes instances on their way. */
void davfs_quarantine_is_alone(void);
/* Marks this thread's imports as those of the drive until davfs_end_import(): the drive itself keeps what is held, and what an
   administrator has `accepted` is let in. */
void davfs_begin_import(int accepted);
/* Returns what has become of the last instance of this thread, with its identity, and what it contradicts, if it was held. */
typedef struct
{
  davfs_identity identity;
  size_t length;
  char known[2048];
} davfs_verdict;
int davfs_end_import(davfs_verdict* verdict);

/* Returns the time after so many milliseconds, for functions that wait until a time. */
static inline struct timespec davfs_after(int milliseconds)
{
  struct timespec then;
  clock_gettime(CLOCK_REALTIME, &then);
  long nanoseconds = then.tv_nsec + (milliseconds % 1000) * 1000000L;
  then.tv_sec += milliseconds / 1000 + nanoseconds / 1000000000L;
  then.tv_nsec = nanoseconds % 1000000000L;
  return then;
}

#ifdef __cplusplus
}
#endif
