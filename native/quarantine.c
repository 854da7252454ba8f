/* The filters of arriving instances: one that contradicts the identity that the archive has under its PatientID is not stored.

   Orthanc asks two kinds of filters (ServerContext::StoreAfterTranscoding), on the thread of the import:

   1. That of all instances. If it refuses one, C-STORE answers Success, and POST /instances 200: the sender would take the
      instance for stored. An error of this filter becomes A700 or 500, so that no sender deletes what it has.
   2. For C-STORE, another one, which chooses the status. Of these Orthanc asks the filter of one plugin alone, the first one
      that was registered. If another plugin was first, this one is never asked, and then the first kind has to refuse.

   A ZIP that is sent to POST /instances would end with the first error, and its other members be lost; it is recognised by a body
   of another size than the instance's. There a refusal is no success: the answer has "FilteredOut" for each such member.

   The drive's own imports are told apart by their thread; there the first kind may refuse, for the drive asks why. */

#include "davfs.h"

#include <stdatomic.h>
#include <string.h>

#define REFUSED 0
#define STORED 1
#define FAILED (-1)
#define DOES_NOT_MATCH 0xa900 /* C-STORE: an error of the data set, PS3.4 B.2.3 */
#define OUT_OF_RESOURCES 0xa700 /* the sender may try again */

typedef struct
{
  int running, accepted, verdict;
  davfs_verdict found;
} import;

static _Thread_local import own;
static atomic_int chooses_status = 0; /* Orthanc asks our filter of C-STORE */
static atomic_int is_alone = 0;       /* nothing changes instances on their way */

void davfs_begin_import(int accepted)
{
  memset(&own, 0, sizeof(own));
  own = (import) {.running = 1, .accepted = accepted, .verdict = DAVFS_LET_IN};
}

int davfs_end_import(davfs_verdict* verdict)
{
  *verdict = own.found;
  own.running = own.accepted = 0;
  return own.verdict;
}

static int judge(const OrthancPluginDicomInstance* instance, davfs_verdict* found)
{
  found->length = 0;
  if (davfs_read_identity(instance, &found->identity) != 0)
  {
    return DAVFS_NOT_READY;
  }
  if (own.running && own.accepted)
  {
    return davfs_accept_identity(&found->identity);
  }
  return davfs_judge_identity(&found->identity, found->known, sizeof(found->known), &found->length);
}

/* Judges an instance that comes from elsewhere, and has Python keep it if it is held; *kept is 1 if that is possible. */
static int judge_arrival(const OrthancPluginDicomInstance* instance, int* kept)
{
  davfs_verdict found;
  size_t size;
  int verdict = judge(instance, &found);
  *kept = 0;
  if (verdict == DAVFS_HELD)
  {
    const void* file = davfs_instance_data(instance, &size);
    *kept = davfs_add_held(&found.identity, davfs_instance_sender(instance), found.known, found.length, file, size);
  }
  return verdict;
}

static int is_zip_member(const OrthancPluginDicomInstance* instance)
{
  size_t size;
  uint64_t upload = davfs_this_request()->upload;
  davfs_instance_data(instance, &size);
  return is_alone && upload != 0 && upload != size &&
         davfs_instance_origin(instance) == OrthancPluginInstanceOrigin_RestApi;
}

static int32_t filter(const OrthancPluginDicomInstance* instance)
{
  int kept;
  if (own.running)
  {
    own.verdict = judge(instance, &own.found);
    return own.verdict >= DAVFS_LET_IN ? STORED : REFUSED;
  }
  if (chooses_status && davfs_instance_origin(instance) == OrthancPluginInstanceOrigin_DicomProtocol)
  {
    return STORED; /* the other filter is asked next */
  }
  int verdict = judge_arrival(instance, &kept);
  return verdict == DAVFS_LET_IN ? STORED : kept && is_zip_member(instance) ? REFUSED : FAILED;
}

static int32_t filter_c_store(uint16_t* status, const OrthancPluginDicomInstance* instance)
{
  int kept, judged = !chooses_status; /* by the other filter: otherwise it would not be asked */
  chooses_status = 1;
  int verdict = judged ? DAVFS_LET_IN : judge_arrival(instance, &kept);
  *status = verdict == DAVFS_LET_IN ? 0 : verdict == DAVFS_HELD ? DOES_NOT_MATCH : OUT_OF_RESOURCES;
  return verdict == DAVFS_LET_IN ? STORED : REFUSED;
}

void davfs_quarantine_is_alone(void)
{
  chooses_status = 1;
  is_alone = 1;
}

void davfs_register_quarantine(void)
{
  chooses_status = 0;
  is_alone = 0;
  davfs_clear_identities();
  OrthancPluginRegisterIncomingDicomInstanceFilter(davfs_context, filter);
  OrthancPluginRegisterIncomingCStoreInstanceFilter(davfs_context, filter_c_store);
}
