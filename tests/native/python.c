/* What the plugin's C calls in Python, without one: it reads all that it is given. */

#include "fuzz.h"

#include <stdio.h>
#include <string.h>

int davfs_start_python(const char* python, char* reason, size_t size)
{
  snprintf(reason, size, "%s does not start", python);
  return below(4) ? 0 : -1;
}

int davfs_stop_python(int milliseconds)
{
  return milliseconds > 0;
}

static int seen(uint32_t depth, const char* const* path, uint8_t* result)
{
  davfs_request request = davfs_take_request();
  PROMISED(strlen(request.user) < sizeof(request.user));
  for (uint32_t i = 0; i < depth; i++)
  {
    touch(path[i], strlen(path[i]) + 1);
  }
  *result = (uint8_t) below(2);
  return below(4) ? OrthancPluginErrorCode_Success : OrthancPluginErrorCode_BadRequest;
}

int davfs_is_folder(uint32_t depth, const char* const* path, uint8_t* exists)
{
  int code = seen(depth, path, exists);
  for (uint32_t i = below(3); i > 0; i--)
  {
    davfs_hand_over(copied("Dname\0date", 11), 11);
  }
  return code;
}

int davfs_list_folder(uint32_t depth, const char* const* path, uint8_t* exists, OrthancPluginWebDavCollection* collection,
                      OrthancPluginWebDavAddFile add_file, OrthancPluginWebDavAddFolder add_folder)
{
  davfs_add_entries(collection, add_file, add_folder, "Dname\0date", 11);
  return seen(depth, path, exists);
}

int davfs_read_file(uint32_t depth, const char* const* path, OrthancPluginWebDavCollection* collection,
                    OrthancPluginWebDavRetrieveFile retrieve)
{
  uint8_t nothing;
  davfs_send_zeros(collection, retrieve, below(5000), "application/dicom", "date");
  return seen(depth, path, &nothing);
}

int davfs_write_file(uint32_t depth, const char* const* path, uint8_t* done, const void* data, uint64_t size)
{
  touch(data, size);
  return seen(depth, path, done);
}

int davfs_make_folder(uint32_t depth, const char* const* path, uint8_t* done)
{
  return seen(depth, path, done);
}

int davfs_delete_item(uint32_t depth, const char* const* path, uint8_t* done)
{
  return seen(depth, path, done);
}
