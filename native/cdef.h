/* What Python sees of Orthanc's SDK and of this library. cffi checks each line against orthanc/OrthancCPlugin.h. */

typedef enum {
  OrthancPluginErrorCode_Success,
  OrthancPluginErrorCode_Plugin,
  OrthancPluginErrorCode_BadRequest,
  OrthancPluginErrorCode_UnknownResource,
  OrthancPluginErrorCode_NotAcceptable,
  OrthancPluginErrorCode_DatabaseUnavailable,
  OrthancPluginErrorCode_Revision,
  OrthancPluginErrorCode_UnsupportedMediaType,
  ...
} OrthancPluginErrorCode;

typedef enum {
  OrthancPluginChangeType_Deleted,
  OrthancPluginChangeType_OrthancStarted,
  ...
} OrthancPluginChangeType;

typedef enum {
  OrthancPluginHttpMethod_Get,
  OrthancPluginHttpMethod_Put,
  OrthancPluginHttpMethod_Delete,
  ...
} OrthancPluginHttpMethod;

typedef enum {
  OrthancPluginInstanceOrigin_DicomProtocol,
  OrthancPluginInstanceOrigin_RestApi,
  OrthancPluginInstanceOrigin_Plugin,
  OrthancPluginInstanceOrigin_Lua,
  OrthancPluginInstanceOrigin_WebDav,
  ...
} OrthancPluginInstanceOrigin;

typedef struct { const char* orthancVersion; ...; } OrthancPluginContext;
typedef struct { void* data; uint32_t size; } OrthancPluginMemoryBuffer;

char* OrthancPluginGetConfiguration(OrthancPluginContext*);
char* OrthancPluginGetConfigurationPath(OrthancPluginContext*);
void OrthancPluginFreeString(OrthancPluginContext*, char*);

/* native/davfs.h */
typedef struct {
  char user[128];
  int has_depth;
  int depth;
  char address[48];
  char agent[128];
  uint32_t segments;
  const char* const* path;
  uint8_t* result;
  const void* data;
  uint64_t size;
  ...;
} davfs_request;
typedef struct { int kind; char id[64]; } davfs_change;
typedef struct {
  int64_t time;
  uint32_t instances;
  int origin;
  int is_dicomweb;
  char title[20];
  char address[48];
  char user[128];
  char patient[264];
  char study[68];
  char series[68];
  char instance[48];
} davfs_arrival;
typedef struct { char instance[48]; } davfs_sent_again;
typedef struct {
  int64_t time;
  uint64_t size;
  char instance[48];
  char user[128];
  char address[48];
  char agent[128];
} davfs_read;

extern OrthancPluginContext* davfs_context;
#define DAVFS_STOPPED ...
#define DAVFS_ERROR ...
#define DAVFS_WARNING ...
#define DAVFS_INFO ...
#define DAVFS_CHANGES_LOST ...
void davfs_refuse_calls(void);
int davfs_get(OrthancPluginMemoryBuffer* response, const char* path);
int davfs_post(OrthancPluginMemoryBuffer* response, const char* path, const void* body, uint32_t size);
int davfs_delete(const char* path);
int davfs_call(OrthancPluginMemoryBuffer* response, OrthancPluginMemoryBuffer* headers, uint16_t* status, int method,
               const char* path, const char* match, const void* body, uint32_t size);
int davfs_get_file(OrthancPluginMemoryBuffer* file, const char* instance);
int davfs_transcode(OrthancPluginMemoryBuffer* file, const void* content, uint32_t size, const char* syntax);
void davfs_free(OrthancPluginMemoryBuffer* buffer);
const char* davfs_describe(int code);
void davfs_log(int severity, const char* line);
int davfs_next_change(davfs_change* change, int milliseconds);
void davfs_open_arrivals(void);
void davfs_close_arrivals(void);
int davfs_take_arrival(davfs_arrival* arrival, int seconds);
uint64_t davfs_lost_arrivals(void);
void davfs_close_sent_again(void);
int davfs_take_sent_again(davfs_sent_again* taken, int most, int milliseconds);
uint64_t davfs_lost_sent_again(void);
void davfs_open_reads(void);
void davfs_close_reads(void);
int davfs_take_reads(davfs_read* reads, int most, int milliseconds);
uint64_t davfs_lost_reads(void);
uint64_t davfs_recent_generation(void);
void davfs_follow_log(void);
void davfs_set_trash(int there_is_one);
void davfs_clear_recent(void);
void davfs_add_recent(uint64_t generation, const char* folder, const char* packed, size_t size);
void davfs_keep_response(davfs_request* request, int is_folder, int code, const char* packed, size_t size);
void davfs_add_entries(const davfs_request* request, const char* packed, size_t size);
int davfs_send_file(const davfs_request* request, const void* data, uint64_t size, const char* mime, const char* date);

typedef struct { uint32_t character; char folded[12]; } davfs_folding;
typedef struct { char patient[264]; char name[776]; char birth[12]; char sex[4]; char study[68]; char instance[68]; } davfs_identity;
typedef struct { davfs_identity identity; size_t length; char known[2048]; } davfs_verdict;
typedef struct { davfs_identity identity; char sender[72]; size_t known; size_t size; char bytes[]; } davfs_held;
#define DAVFS_ACCEPTED ...
#define DAVFS_LET_IN ...
#define DAVFS_HELD ...
#define DAVFS_NOT_READY ...
void davfs_set_folding(const davfs_folding* ascending, size_t count);
void davfs_set_study(const char* study, const char* patient, const char* name, const char* birth, const char* sex);
void davfs_forget_study(const char* study);
void davfs_make_identity(davfs_identity* identity, const char* patient, const char* name, const char* birth, const char* sex);
void davfs_restore_accepted(const davfs_identity* identity);
void davfs_clear_identities(void);
void davfs_complete_identities(int complete);
void davfs_settle_identities(int milliseconds);
davfs_held* davfs_next_held(int milliseconds);
void davfs_free_held(davfs_held* held);
int davfs_lost_held(void);
void davfs_quarantine_is_alone(void);
void davfs_begin_import(int accepted);
int davfs_end_import(davfs_verdict* verdict);

/* The six callbacks: davfs.sdk.callbacks attaches them. */
extern "Python+C" {
  int davfs_is_folder(davfs_request* request);
  int davfs_list_folder(davfs_request* request);
  int davfs_read_file(davfs_request* request);
  int davfs_write_file(davfs_request* request);
  int davfs_make_folder(davfs_request* request);
  int davfs_delete_item(davfs_request* request);
}
