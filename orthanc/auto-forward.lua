-- Sends each study to the DICOM Node once it is stable, by C-STORE or by STOW-RS, and never sends the
-- node's own results back to it. Written for Orthanc 1.10 and newer.
--
-- Logged are Orthanc's own identifiers and counts, nothing of a patient.

local settings = (GetOrthancConfiguration() or {})['DicomNode'] or {}
local NAME = settings['Name'] or 'node'
local FORWARD = settings['Forward'] or 'dimse'

-- What the node writes as Manufacturer into each result.
local NODE_MANUFACTURER = 'DICOM Node'

-- Results of whatever origin: no model of the node takes them as input.
local NEVER_FORWARDED = { SR = true, SEG = true, PR = true, KO = true, DOC = true, RTSTRUCT = true }

-- User-defined metadata of a study: what was last sent of it.
local SENT = '1024'

local study_of_job = {} -- jobs under way
local waiting = {}      -- studies whose job failed

local function log(text)
  print('DICOM Node: ' .. text)
end

-- The AE title under which C-STORE results come back, as DicomModalities has it.
local function node_ae_title()
  local modality = ((GetOrthancConfiguration() or {})['DicomModalities'] or {})[NAME]
  if type(modality) ~= 'table' then
    return nil
  end
  return modality['AET'] or modality[1]
end

-- REST calls print an error of their own where something is missing: ask for what is listed only.
local function get(uri)
  local answer = RestApiGet(uri)
  return answer and ParseJson(answer)
end

local function came_from_the_node(series)
  if (series['MainDicomTags'] or {})['Manufacturer'] == NODE_MANUFACTURER then
    return true
  end
  local metadata = get('/series/' .. series['ID'] .. '/metadata?expand') or {}
  return metadata['RemoteAET'] ~= nil and metadata['RemoteAET'] == node_ae_title()
end

-- The series that a model may want, and a short text that changes when their instances do.
local function sources_of(study)
  local ids, count, sum = {}, 0, 0
  for _, series in ipairs(get('/studies/' .. study .. '/series') or {}) do
    local modality = (series['MainDicomTags'] or {})['Modality'] or ''
    if not NEVER_FORWARDED[modality] and not came_from_the_node(series) then
      table.insert(ids, series['ID'])
      for _, instance in ipairs(series['Instances']) do
        count = count + 1
        sum = (sum + tonumber(string.sub(instance, 1, 8), 16)) % 4294967296
      end
    end
  end
  return ids, count, string.format('%d-%.0f', count, sum)
end

local function submit(series)
  local body = { Resources = series, Synchronous = false, Asynchronous = true }
  if FORWARD == 'dicomweb' then
    return RestApiPost('/dicom-web/servers/' .. NAME .. '/stow', DumpJson(body))
  end
  return RestApiPost('/modalities/' .. NAME .. '/store', DumpJson(body))
end

local function forward(study)
  waiting[study] = nil
  local series, count, content = sources_of(study)
  if count == 0 then
    return
  end
  local metadata = get('/studies/' .. study .. '/metadata?expand') or {}
  if metadata[SENT] == content then
    return -- became stable again because results arrived
  end
  local answer = submit(series)
  local job = answer and (ParseJson(answer) or {})['ID']
  if job == nil then
    waiting[study] = true
    log('study ' .. study .. ' could not be handed to a ' .. FORWARD .. ' job; see the line before this one')
    return
  end
  study_of_job[job] = study
  RestApiPut('/studies/' .. study .. '/metadata/' .. SENT, content)
  log('sending ' .. count .. ' instances of study ' .. study .. ' by ' .. FORWARD .. ', job ' .. job)
end

local function try_waiting_again()
  local studies = {}
  for study in pairs(waiting) do
    table.insert(studies, study)
  end
  for _, study in ipairs(studies) do
    forward(study)
  end
end

function OnStableStudy(study, tags, metadata)
  try_waiting_again()
  forward(study)
end

function OnJobSuccess(job)
  local study = study_of_job[job]
  if study ~= nil then
    study_of_job[job] = nil
    log('study ' .. study .. ' was sent')
  end
end

function OnJobFailure(job)
  local study = study_of_job[job]
  if study ~= nil then
    study_of_job[job] = nil
    waiting[study] = true
    RestApiDelete('/studies/' .. study .. '/metadata/' .. SENT)
    log('job ' .. job .. ' failed; study ' .. study .. ' is tried again with the next study that is stable')
  end
end

-- Orthanc 1.11 and newer calls this every LuaHeartBeatPeriod seconds.
function OnHeartBeat()
  try_waiting_again()
end
