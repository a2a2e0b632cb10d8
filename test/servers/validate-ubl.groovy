// Checks UBL 2.1 invoices against the published XSD and the rules of EN 16931, both as phive ships them. Prints a line for each
// error or warning: file, level, and text; a last line says that all files were checked.
import com.helger.io.resource.FileSystemResource
import com.helger.phive.api.execute.ValidationExecutionManager
import com.helger.phive.api.executorset.ValidationExecutorSetRegistry
import com.helger.phive.api.validity.IValidityDeterminator
import com.helger.phive.en16931.EN16931Validation
import com.helger.phive.xml.source.ValidationSourceXML

def registry = new ValidationExecutorSetRegistry()
EN16931Validation.initEN16931(registry)
def rules = registry.getOfID(EN16931Validation.VID_UBL_INVOICE_1315)
args.each { name ->
  def source = ValidationSourceXML.create(new FileSystemResource(new File(name)))
  def results = ValidationExecutionManager.executeValidation(IValidityDeterminator.createDefault(), rules, source, Locale.US)
  println "${name}\tCHECKED\t${results.size()} artefacts"
  results.each { result ->
    result.errorList.each { error ->
      println "${name}\t${error.errorLevel.ID}\t${error.getErrorText(Locale.US)?.replaceAll(/\s+/, ' ')}"
    }
  }
}
println 'DONE'
