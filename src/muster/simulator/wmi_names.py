"""Property names of the WMI classes a Windows agent reports, and values to fill them with.

The names are Microsoft's (Win32_Processor and its kin), the values are invented. They give a real agent's
weight (33 to 58 KB of `wmi_detail`, CONTRACT section 6); the light weight keeps only what the server's rules
read.
"""

from typing import Any

# Kinds: i number, s text, b true or false, L list of texts, I list of numbers, x always null.
_CLASSES = {
    "os": {
        "s": (
            "BootDevice BuildNumber BuildType CSCreationClassName CSDVersion CSName Caption CodeSet "
            "CountryCode CreationClassName Description InstallDate LastBootUpTime LocalDateTime Locale "
            "Manufacturer Name OSArchitecture Organization OtherTypeDescription PlusProductID "
            "PlusVersionNumber RegisteredUser SerialNumber Status SystemDevice SystemDirectory "
            "SystemDrive Version WindowsDirectory"
        ),
        "i": (
            "CurrentTimeZone DataExecutionPrevention_SupportPolicy EncryptionLevel "
            "ForegroundApplicationBoost FreePhysicalMemory FreeSpaceInPagingFiles FreeVirtualMemory "
            "MaxNumberOfProcesses MaxProcessMemorySize NumberOfLicensedUsers NumberOfProcesses "
            "NumberOfUsers OSLanguage OSProductSuite OSType OperatingSystemSKU ProductType "
            "ServicePackMajorVersion ServicePackMinorVersion SizeStoredInPagingFiles SuiteMask "
            "TotalSwapSpaceSize TotalVirtualMemorySize TotalVisibleMemorySize"
        ),
        "b": (
            "DataExecutionPrevention_32BitApplications DataExecutionPrevention_Available "
            "DataExecutionPrevention_Drivers Debug Distributed PAEEnabled PortableOperatingSystem Primary"
        ),
        "L": "MUILanguages",
    },
    "cpu": {
        "i": (
            "AddressWidth Architecture Availability Characteristics ConfigManagerErrorCode CpuStatus "
            "CurrentClockSpeed CurrentVoltage DataWidth ExtClock Family L2CacheSize L2CacheSpeed "
            "L3CacheSize L3CacheSpeed LastErrorCode Level LoadPercentage MaxClockSpeed NumberOfCores "
            "NumberOfEnabledCore NumberOfLogicalProcessors ProcessorType Revision StatusInfo ThreadCount "
            "UpgradeMethod VoltageCaps"
        ),
        "s": (
            "AssetTag Caption CreationClassName Description DeviceID ErrorDescription InstallDate "
            "Manufacturer Name OtherFamilyDescription PNPDeviceID PartNumber ProcessorId Role "
            "SerialNumber SocketDesignation Status Stepping SystemCreationClassName SystemName UniqueId "
            "Version"
        ),
        "b": (
            "ConfigManagerUserConfig ErrorCleared PowerManagementSupported "
            "SecondLevelAddressTranslationExtensions VMMonitorModeExtensions "
            "VirtualizationFirmwareEnabled"
        ),
    },
    "mem": {
        "i": (
            "Attributes Capacity ConfiguredClockSpeed ConfiguredVoltage DataWidth FormFactor "
            "InterleaveDataDepth InterleavePosition MaxVoltage MemoryType MinVoltage PositionInRow "
            "SMBIOSMemoryType Speed TotalWidth TypeDetail"
        ),
        "s": (
            "BankLabel Caption CreationClassName Description DeviceLocator InstallDate Manufacturer Model "
            "Name OtherIdentifyingInfo PartNumber SKU SerialNumber Status Tag Version"
        ),
        "b": "HotSwappable PoweredOn Removable Replaceable",
    },
    "usb": {
        "i": (
            "Availability ConfigManagerErrorCode LastErrorCode MaxNumberControlled ProtocolSupported "
            "StatusInfo"
        ),
        "s": (
            "Caption CreationClassName Description DeviceID ErrorDescription InstallDate Manufacturer "
            "Name PNPDeviceID Status SystemCreationClassName SystemName TimeOfLastReset"
        ),
        "b": "ConfigManagerUserConfig ErrorCleared PowerManagementSupported",
    },
    "bios": {
        "L": "BIOSVersion ListOfLanguages",
        "I": "BiosCharacteristics",
        "s": (
            "BuildNumber Caption CodeSet CurrentLanguage Description IdentificationCode InstallDate "
            "LanguageEdition Manufacturer Name OtherTargetOS ReleaseDate SMBIOSBIOSVersion SerialNumber "
            "SoftwareElementID Status Version"
        ),
        "i": (
            "EmbeddedControllerMajorVersion EmbeddedControllerMinorVersion InstallableLanguages "
            "SMBIOSMajorVersion SMBIOSMinorVersion SoftwareElementState SystemBiosMajorVersion "
            "SystemBiosMinorVersion TargetOperatingSystem"
        ),
        "b": "PrimaryBIOS SMBIOSPresent",
    },
    "disk": {
        "i": (
            "Availability BytesPerSector ConfigManagerErrorCode DefaultBlockSize Index LastErrorCode "
            "MaxBlockSize MaxMediaSize MinBlockSize NumberOfMediaSupported Partitions SCSIBus "
            "SCSILogicalUnit SCSIPort SCSITargetId SectorsPerTrack Signature Size StatusInfo "
            "TotalCylinders TotalHeads TotalSectors TotalTracks TracksPerCylinder"
        ),
        "I": "Capabilities",
        "L": "CapabilityDescriptions",
        "s": (
            "Caption CompressionMethod CreationClassName Description DeviceID ErrorDescription "
            "ErrorMethodology FirmwareRevision InstallDate InterfaceType Manufacturer MediaType Model "
            "Name PNPDeviceID SerialNumber Status SystemCreationClassName SystemName"
        ),
        "b": "ConfigManagerUserConfig ErrorCleared MediaLoaded NeedsCleaning PowerManagementSupported",
    },
    "comp_sys": {
        "i": (
            "AdminPasswordStatus BootOptionOnLimit BootOptionOnWatchDog ChassisBootupState "
            "CurrentTimeZone DomainRole FrontPanelResetStatus KeyboardPasswordStatus "
            "NumberOfLogicalProcessors NumberOfProcessors PCSystemType PCSystemTypeEx PauseAfterReset "
            "PowerOnPasswordStatus PowerState PowerSupplyState ResetCapability ResetCount ResetLimit "
            "ThermalState TotalPhysicalMemory WakeUpType"
        ),
        "b": (
            "AutomaticManagedPagefile AutomaticResetBootOption AutomaticResetCapability BootROMSupported "
            "DaylightInEffect EnableDaylightSavingsTime HypervisorPresent InfraredSupported "
            "NetworkServerModeEnabled PartOfDomain PowerManagementSupported"
        ),
        "I": "BootStatus",
        "s": (
            "BootupState Caption ChassisSKUNumber CreationClassName DNSHostName Description Domain "
            "InstallDate Manufacturer Model Name NameFormat PrimaryOwnerContact PrimaryOwnerName Status "
            "SystemFamily SystemSKUNumber SystemType UserName Workgroup"
        ),
        "L": "OEMStringArray Roles",
        "x": "SupportContactDescription",
    },
    "graphics": {
        "x": "AcceleratorCapabilities CapabilityDescriptions",
        "s": (
            "AdapterCompatibility AdapterDACType Caption Description DeviceID DriverDate DriverVersion "
            "InstallDate InstalledDisplayDrivers Name Status SystemCreationClassName SystemName "
            "TimeOfLastReset VideoModeDescription VideoProcessor"
        ),
        "i": (
            "AdapterRAM Availability CurrentRefreshRate CurrentVerticalResolution MaxMemorySupported "
            "MaxRefreshRate MinRefreshRate"
        ),
    },
    "base_board": {
        "s": (
            "Caption CreationClassName Description InstallDate Manufacturer Model Name "
            "OtherIdentifyingInfo PartNumber Product RequirementsDescription SKU SerialNumber SlotLayout "
            "Status Tag Version"
        ),
        "L": "ConfigOptions",
        "i": "Depth Height Weight Width",
        "b": (
            "HostingBoard HotSwappable PoweredOn Removable Replaceable RequiresDaughterBoard "
            "SpecialRequirements"
        ),
    },
    "comp_sys_prod": {
        "s": "Caption Description IdentifyingNumber Name SKUNumber UUID Vendor Version",
    },
    "network_config": {
        "b": (
            "ArpAlwaysSourceRoute ArpUseEtherSNAP DHCPEnabled DNSEnabledForWINSResolution "
            "DeadGWDetectEnabled DomainDNSRegistrationEnabled FullDNSRegistrationEnabled IPEnabled "
            "IPFilterSecurityEnabled IPUseZeroBroadcast PMTUBHDetectEnabled PMTUDiscoveryEnabled "
            "TcpUseRFC1122UrgentPointer WINSEnableLMHostsLookup"
        ),
        "s": (
            "Caption DHCPLeaseExpires DHCPLeaseObtained DHCPServer DNSDomain DNSHostName DatabasePath "
            "Description MACAddress ServiceName SettingID WINSHostLookupFile WINSPrimaryServer "
            "WINSScopeID WINSSecondaryServer"
        ),
        "x": "DNSDomainSuffixSearchOrder IPSecPermitIPProtocols IPSecPermitTCPPorts IPSecPermitUDPPorts",
        "L": "DNSServerSearchOrder DefaultIPGateway IPAddress IPSubnet",
        "i": (
            "DefaultTOS DefaultTTL ForwardBufferMemory IGMPLevel IPConnectionMetric Index InterfaceIndex "
            "KeepAliveInterval KeepAliveTime MTU NumForwardPackets TcpMaxConnectRetransmissions "
            "TcpMaxDataRetransmissions TcpNumConnections TcpWindowSize TcpipNetbiosOptions"
        ),
        "I": "GatewayCostMetric",
    },
    "desktop_monitor": {
        "i": (
            "Availability Bandwidth ConfigManagerErrorCode DisplayType LastErrorCode "
            "PixelsPerXLogicalInch PixelsPerYLogicalInch ScreenHeight ScreenWidth StatusInfo"
        ),
        "s": (
            "Caption CreationClassName Description DeviceID ErrorDescription InstallDate "
            "MonitorManufacturer MonitorType Name PNPDeviceID Status SystemCreationClassName SystemName"
        ),
        "b": "ConfigManagerUserConfig ErrorCleared IsLocked PowerManagementSupported",
    },
    "network_adapter": {
        "s": (
            "AdapterType Caption CreationClassName Description DeviceID ErrorDescription GUID InstallDate "
            "MACAddress Manufacturer Name NetConnectionID PNPDeviceID PermanentAddress ProductName "
            "ServiceName Status SystemCreationClassName SystemName TimeOfLastReset"
        ),
        "i": (
            "AdapterTypeID AdapterTypeId Availability ConfigManagerErrorCode Index InterfaceIndex "
            "LastErrorCode MaxNumberControlled MaxSpeed NetConnectionStatus Speed StatusInfo"
        ),
        "b": (
            "AutoSense ConfigManagerUserConfig ErrorCleared Installed NetEnabled PhysicalAdapter "
            "PowerManagementSupported"
        ),
        "x": "NetworkAddresses",
    },
}

_TEXTS = ("OK", "Win32_Device", "ROOT\\CIMV2", "Standard device, invented", "20240113000000.000000+060")


def _value(kind: str, turn: int) -> Any:
    if kind == "i":
        return turn * 37 % 4096
    if kind == "s":
        return _TEXTS[turn % len(_TEXTS)]
    if kind == "b":
        return turn % 3 == 0
    if kind == "L":
        return [f"item {turn}"]
    if kind == "I":
        return [turn % 9, 4]
    return None


def filler(class_name: str, turn: int) -> dict[str, Any]:
    """Every property of the class with an invented value; `turn` varies them from one element to the next."""
    found: dict[str, Any] = {}
    for kind, names in _CLASSES[class_name].items():
        for name in names.split():
            turn += 1
            found[name] = _value(kind, turn)
    return found
