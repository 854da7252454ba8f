/* What Python sees of Orthanc's SDK and of this library. cffi checks each line against orthanc/OrthancCPlugin.h. */

typedef enum {
  OrthancPluginErrorCode_Success,
  OrthancPluginErrorCode_Plugin,
  OrthancPluginErrorCode_BadRequest,
  OrthancPluginErrorCode_BadFileFormat,
  OrthancPluginErrorCode_UnknownResource,
  OrthancPluginErrorCode_InexistentItem,
  OrthancPluginErrorCode_InexistentFile,
  OrthancPluginErrorCode_InexistentTag,
  OrthancPluginErrorCode_FullStorage,
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

typedef struct { const char* orthancVersion; ...; } OrthancPluginContext;
typedef struct { void* data; uint32_t size; } OrthancPluginMemoryBuffer;
typedef ... OrthancPluginWebDavCollection;
typedef OrthancPluginErrorCode (*OrthancPluginWebDavAddFile)(OrthancPluginWebDavCollection*, const char*, uint64_t,
                                                             const char*, const char*);
typedef OrthancPluginErrorCode (*OrthancPluginWebDavAddFolder)(OrthancPluginWebDavCollection*, const char*, const char*);
typedef OrthancPluginErrorCode (*OrthancPluginWebDavRetrieveFile)(OrthancPluginWebDavCollection*, const void*, uint64_t,
                                                                  const char*, const char*);

char* OrthancPluginGetConfiguration(OrthancPluginContext*);
char* OrthancPluginGetConfigurationPath(OrthancPluginContext*);
void OrthancPluginFreeString(OrthancPluginContext*, char*);

/* native/davfs.h */
typedef struct { int has_depth; int depth; char user[128]; } davfs_request;
typedef struct { int kind; char id[64]; } davfs_change;

extern OrthancPluginContext* davfs_context;
#define DAVFS_STOPPED ...
#define DAVFS_ERROR ...
#define DAVFS_WARNING ...
#define DAVFS_INFO ...
void davfs_refuse_calls(void);
int davfs_get(OrthancPluginMemoryBuffer* answer, const char* path);
int davfs_post(OrthancPluginMemoryBuffer* answer, const char* path, const void* body, uint32_t size);
int davfs_delete(const char* path);
int davfs_get_file(OrthancPluginMemoryBuffer* file, const char* instance);
int davfs_transcode(OrthancPluginMemoryBuffer* file, const void* content, uint32_t size, const char* syntax);
void davfs_free(OrthancPluginMemoryBuffer* buffer);
const char* davfs_describe(int code);
void davfs_log(int severity, const char* line);
davfs_request davfs_take_request(void);
void davfs_audit(const char* user, const char* action, const char* resource, const char* result);
uint64_t davfs_recent_generation(void);
void davfs_forget_recent(void);
void davfs_remember_recent(uint64_t since, const char* folder, const char* packed, size_t size);
int davfs_next_change(davfs_change* change, int milliseconds);
void davfs_hand_over(const char* packed, size_t size);
void davfs_add_entries(OrthancPluginWebDavCollection* collection, OrthancPluginWebDavAddFile add_file,
                       OrthancPluginWebDavAddFolder add_folder, const char* packed, size_t size);
int davfs_send_zeros(OrthancPluginWebDavCollection* collection, OrthancPluginWebDavRetrieveFile retrieve, uint64_t size,
                     const char* mime, const char* date);
int davfs_send(OrthancPluginWebDavCollection* collection, OrthancPluginWebDavRetrieveFile retrieve, const void* data,
               uint64_t size, const char* mime, const char* date);

/* The six callbacks: davfs.sdk.callbacks attaches them. */
extern "Python+C" {
  int davfs_is_folder(uint32_t depth, const char* const* path, uint8_t* exists);
  int davfs_list_folder(uint32_t depth, const char* const* path, uint8_t* exists,
                        OrthancPluginWebDavCollection* collection, OrthancPluginWebDavAddFile add_file,
                        OrthancPluginWebDavAddFolder add_folder);
  int davfs_read_file(uint32_t depth, const char* const* path, OrthancPluginWebDavCollection* collection,
                      OrthancPluginWebDavRetrieveFile retrieve);
  int davfs_write_file(uint32_t depth, const char* const* path, uint8_t* done, const void* data, uint64_t size);
  int davfs_make_folder(uint32_t depth, const char* const* path, uint8_t* done);
  int davfs_delete_item(uint32_t depth, const char* const* path, uint8_t* done);
}
